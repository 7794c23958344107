{{/* Fails early if values contradict each other, with a sentence that says what to set. */}}
{{- define "insula.validate" -}}
{{- $values := .Values -}}
{{- $production := eq $values.environment "production" -}}
{{- if not $values.image.repository -}}
{{- fail "\n\nSet image.repository to the image that you built with deploy/Dockerfile, such as registry.example.com/insula." -}}
{{- end -}}
{{- if not $values.publicUrl -}}
{{- fail "\n\nSet publicUrl to the URL at which users reach Insula, such as https://insula.example." -}}
{{- end -}}
{{- if and $production (hasPrefix "http://" $values.publicUrl) -}}
{{- fail "\n\npublicUrl must begin with https:// in production. For a try-out without TLS, set environment to development." -}}
{{- end -}}
{{- range $name, $source := dict "database" (list $values.database "url") "database.migration" (list $values.database.migration "url") "redis" (list $values.redis "url") "smtp" (list $values.smtp "url") "secretKey" (list $values.secretKey "value") "secretKey.previous" (list $values.secretKey.previous "value") "firstSuperuser" (list $values.firstSuperuser "password") -}}
{{- $from := first $source -}}
{{- if and $from.existingSecret (get $from (last $source)) -}}
{{- fail (printf "\n\nSet either %s.existingSecret or %s.%s, not both." $name $name (last $source)) -}}
{{- end -}}
{{- end -}}
{{- if and $values.ca.existingSecret $values.ca.existingConfigMap -}}
{{- fail "\n\nSet either ca.existingSecret or ca.existingConfigMap, not both." -}}
{{- end -}}
{{- $database := or $values.database.url $values.database.existingSecret -}}
{{- $migration := or $values.database.migration.url $values.database.migration.existingSecret -}}
{{- if and $values.embedded.enabled (or $database $migration) -}}
{{- fail "\n\nembedded.enabled uses SQLite: remove database.*, or set embedded.enabled to false." -}}
{{- end -}}
{{- if not (or $values.embedded.enabled $database) -}}
{{- fail "\n\nSet database.existingSecret to a Secret with the URL of PostgreSQL, or embedded.enabled to true for SQLite." -}}
{{- end -}}
{{- $separate := get $values.config "INSULA_REQUIRE_SEPARATE_DATABASE_LOGIN" | toString -}}
{{- if and $production $database (not $migration) (ne $values.migrations.mode "none") (ne $separate "false") -}}
{{- fail "\n\nSet database.migration.existingSecret to a Secret with the URL for the login that owns the tables. Servers in production refuse to run with that login. To use one login anyway, set config.INSULA_REQUIRE_SEPARATE_DATABASE_LOGIN to false." -}}
{{- end -}}
{{- $secretKey := or $values.secretKey.value $values.secretKey.existingSecret -}}
{{- if and (not $secretKey) (or $production (not $values.embedded.enabled)) -}}
{{- fail "\n\nSet secretKey.existingSecret to a Secret with a random key:\n  kubectl create secret generic insula-secrets --from-literal=secret-key=\"$(openssl rand -base64 48)\"" -}}
{{- end -}}
{{- if and $values.secretKey.value (lt (len $values.secretKey.value) 32) -}}
{{- fail "\n\nsecretKey.value must have at least 32 bytes. Create one with: openssl rand -base64 48" -}}
{{- end -}}
{{- $password := or $values.firstSuperuser.password $values.firstSuperuser.existingSecret -}}
{{- if and $values.firstSuperuser.email (not $password) -}}
{{- fail "\n\nfirstSuperuser.email needs a password: set firstSuperuser.existingSecret." -}}
{{- end -}}
{{- if and $password (not $values.firstSuperuser.email) -}}
{{- fail "\n\nThe first superuser needs an e-mail address: set firstSuperuser.email." -}}
{{- end -}}
{{- if and (or $values.ingress.enabled $values.gateway.enabled) (not $values.trustedProxies) -}}
{{- fail "\n\nSet trustedProxies to the networks of the pods of your Ingress controller or Gateway, such as [10.0.0.0/8]. Otherwise all users share the rate limits of one IP address." -}}
{{- end -}}
{{- if and $values.gateway.enabled (not $values.gateway.parentRefs) -}}
{{- fail "\n\ngateway.enabled needs the Gateway of the route: set gateway.parentRefs." -}}
{{- end -}}
{{- if and $values.worker.keda.enabled (not $values.worker.keda.prometheusUrl) (not $values.worker.keda.triggers) -}}
{{- fail "\n\nworker.keda.enabled needs the Prometheus that scrapes the workers: set worker.keda.prometheusUrl, or worker.keda.triggers for other triggers." -}}
{{- end -}}
{{- range $path, $scale := dict "api.autoscaling" $values.api.autoscaling "worker.keda" $values.worker.keda -}}
{{- if and $scale.enabled (lt (int $scale.maxReplicas) (int $scale.minReplicas)) -}}
{{- fail (printf "\n\nThe maximum must not be less than the minimum: set %s.maxReplicas." $path) -}}
{{- end -}}
{{- end -}}
{{- end -}}
