//! Line plots with logarithmic axes, as SVG.

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 360.0;

/// The margins around the axes.
const LEFT: f64 = 60.0;
const RIGHT: f64 = 130.0;
const TOP: f64 = 40.0;
const BOTTOM: f64 = 50.0;

/// A line and its name.
pub(super) struct PlotLine {
    pub(super) name: &'static str,
    pub(super) color: &'static str,
    pub(super) points: Vec<(f64, f64)>,
}

/// A plot.
pub(super) struct Plot {
    pub(super) title: &'static str,
    pub(super) x: &'static str,
    pub(super) y: &'static str,
    pub(super) lines: Vec<PlotLine>,
}

/// A logarithmic axis from a power of ten to another one, or to less than that if all numbers are smaller.
struct LogAxis {
    from: f64,
    until: f64,
}

impl LogAxis {
    fn of(numbers: impl Iterator<Item = f64> + Clone) -> Self {
        let least = numbers.clone().fold(f64::INFINITY, f64::min).max(0.001);
        let most = numbers.fold(0.0, f64::max).max(least);
        let from = least.log10().floor();
        Self { from, until: most.log10().ceil().max(from + 1.0) }
    }

    /// Where a number is, from 0 to 1.
    fn place(&self, number: f64) -> f64 {
        (number.max(0.001).log10() - self.from) / (self.until - self.from)
    }

    fn ticks(&self) -> Vec<f64> {
        let mut ticks = Vec::new();
        let mut exponent = self.from;
        while exponent <= self.until {
            ticks.push(10_f64.powf(exponent));
            exponent += 1.0;
        }
        ticks
    }
}

impl Plot {
    /// The document.
    pub(super) fn svg(&self) -> String {
        let points = self.lines.iter().flat_map(|line| &line.points);
        let (x, y) =
            (LogAxis::of(points.clone().map(|point| point.0)), LogAxis::of(points.map(|point| point.1)));
        let left = |number: f64| LEFT + x.place(number) * (WIDTH - LEFT - RIGHT);
        let top = |number: f64| HEIGHT - BOTTOM - y.place(number) * (HEIGHT - TOP - BOTTOM);
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" font-family=\"sans-serif\" \
             font-size=\"12\" fill=\"#475569\">\n<rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#ffffff\"/>\n"
        );
        let mut add = |line: String| svg += &format!("{line}\n");
        add(format!("<text x=\"{LEFT}\" y=\"22\" font-size=\"14\">{}</text>", self.title));
        let (right, bottom) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for tick in x.ticks() {
            let at = left(tick);
            add(format!("<path d=\"M{at:.1} {TOP}V{bottom}\" stroke=\"#e2e8f0\"/>"));
            add(format!("<text x=\"{at:.1}\" y=\"{}\" text-anchor=\"middle\">{tick}</text>", bottom + 18.0));
        }
        for tick in y.ticks() {
            let at = top(tick);
            add(format!("<path d=\"M{LEFT} {at:.1}H{right}\" stroke=\"#e2e8f0\"/>"));
            add(format!(
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>",
                LEFT - 6.0,
                at + 4.0
            ));
        }
        add(format!("<text x=\"{right}\" y=\"{}\" text-anchor=\"end\">{}</text>", bottom + 38.0, self.x));
        add(format!(
            "<text x=\"{}\" y=\"{TOP}\" text-anchor=\"end\" dy=\"-8\">{}</text>",
            LEFT - 6.0,
            self.y
        ));
        for (number, line) in self.lines.iter().enumerate() {
            let color = line.color;
            let path: Vec<_> =
                line.points.iter().map(|(x, y)| format!("{:.1} {:.1}", left(*x), top(*y))).collect();
            add(format!(
                "<path d=\"M{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>",
                path.join("L")
            ));
            for (x, y) in &line.points {
                let (x, y) = (left(*x), top(*y));
                add(format!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>"));
            }
            let at = TOP + 12.0 + 20.0 * f64::from(u32::try_from(number).unwrap_or_default());
            add(format!("<text x=\"{}\" y=\"{at}\" fill=\"{color}\">{}</text>", right + 12.0, line.name));
        }
        svg + "</svg>\n"
    }
}
