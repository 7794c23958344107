"use strict";
// Relative, so that the page works behind a path prefix; no validator, so that nothing leaves this origin.
SwaggerUIBundle({
  url: "../api/v1/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null,
});
