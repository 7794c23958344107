"use strict";
// Relative, so that the page works behind a path prefix; no search, since its worker would need a script of no origin.
Redoc.init(
  "../api/v1/openapi.json",
  {
    disableSearch: true,
    theme: {
      typography: {
        fontFamily: "system-ui, sans-serif",
        headings: { fontFamily: "system-ui, sans-serif" },
        code: { fontFamily: "ui-monospace, monospace" },
      },
    },
  },
  document.getElementById("redoc"),
);
