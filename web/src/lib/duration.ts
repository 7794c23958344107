/** The seconds of a typed duration. Null: the text is not a duration.
 *
 * `1:30` `1h 30m` `1h30` `1.5` `1,5h` `90m` `:45`; a bare number is hours below 10, and minutes from there. */
export function parseDuration(text: string): number | null {
  const s = text.trim().toLowerCase().replace(/\s+/g, ' ').replace(',', '.')
  if (!s) return null
  let m = /^(\d{0,3}):([0-5]\d?)$/.exec(s)
  if (m) return whole(Number(m[1] || 0) * 3600 + Number(m[2]) * 60)
  m = /^(\d+(?:\.\d+)?) ?(?:h|hr|hrs|hours?|std\.?|stunden?)(?: ?(\d{1,2}) ?(?:m|min|mins|minutes?|minuten?)?)?$/.exec(s)
  if (m) return whole(Number(m[1]) * 3600 + Number(m[2] ?? 0) * 60)
  m = /^(\d+) ?(?:m|min|mins|minutes?|minuten?)$/.exec(s)
  if (m) return whole(Number(m[1]) * 60)
  m = /^\d+$/.exec(s)
  if (m) return whole(Number(s) < 10 ? Number(s) * 3600 : Number(s) * 60)
  m = /^\d*\.\d+$/.exec(s)
  return m ? whole(Number(s) * 3600) : null
}

const whole = (seconds: number) => seconds > 0 && seconds <= 744 * 3600 ? Math.round(seconds / 60) * 60 : null

/** The minutes since midnight of a typed time of day: `9` `9:05` `930` `0930` `9am` `1.30pm`. */
export function parseClock(text: string): number | null {
  const m = /^(\d{1,2})(?:[:.]?([0-5]\d))? ?(am|pm|a|p|uhr)?$/.exec(text.trim().toLowerCase())
  if (!m) return null
  let hour = Number(m[1])
  const half = m[3]?.[0]
  if (half === 'a' || half === 'p') {
    if (hour < 1 || hour > 12) return null
    hour = hour % 12 + (half === 'p' ? 12 : 0)
  }
  return hour <= 24 ? hour * 60 + Number(m[2] ?? 0) : null
}

/** Two times of day: `9-11:30`, `9:00 – 17`, `22 to 1`. The end is after the start, on the next day if need be. */
export function parseRange(text: string): { from: number, to: number } | null {
  const [a, b, ...rest] = text.split(/\s*(?:-|–|—|\bto\b|\bbis\b)\s*/i)
  if (!a || !b || rest.length) return null
  const from = parseClock(a)
  let to = parseClock(b)
  if (from === null || to === null) return null
  if (to <= from) to += 24 * 60
  return { from, to }
}

/** 5400 -> `1:30` */
export const hm = (seconds: number) => `${Math.floor(seconds / 3600)}:${String(Math.floor(seconds % 3600 / 60)).padStart(2, '0')}`

/** 5405 -> `1:30:05` */
export const hms = (seconds: number) => `${hm(seconds)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`

/** 5400 -> `1 h 30 min` */
export function spoken(seconds: number) {
  const h = Math.floor(seconds / 3600), m = Math.floor(seconds % 3600 / 60)
  return [h && `${h} h`, (m || !h) && `${m} min`].filter(Boolean).join(' ')
}
