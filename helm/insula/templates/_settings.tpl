{{/*
The secret settings of a component: (dict "root" $ "component" "api").
A list of {setting, path, secret, key}; `inline` is the value if the chart stores it in a Secret of its own.
*/}}
{{- define "insula.secrets" -}}
{{- $values := .root.Values -}}
{{- $component := .component -}}
{{- $own := include "insula.fullname" .root -}}
{{- if eq $component "migrate" -}}{{- $own = printf "%s-migrate" $own -}}{{- end -}}
{{- $sources := list
  (dict "setting" "DATABASE_URL" "from" $values.database "inline" $values.database.url "for" (list "api" "worker" "migrate"))
  (dict "setting" "INSULA_MIGRATION_DATABASE_URL" "from" $values.database.migration "inline" $values.database.migration.url "for" (list "migrate"))
  (dict "setting" "REDIS_URL" "from" $values.redis "inline" $values.redis.url "for" (list "api" "worker"))
  (dict "setting" "INSULA_SECRET_KEY" "from" $values.secretKey "inline" $values.secretKey.value "for" (list "api" "worker"))
  (dict "setting" "INSULA_SECRET_KEY_PREVIOUS" "from" $values.secretKey.previous "inline" $values.secretKey.previous.value "for" (list "api" "worker"))
  (dict "setting" "INSULA_SMTP_URL" "from" $values.smtp "inline" $values.smtp.url "for" (list "api" "worker"))
  (dict "setting" "INSULA_FIRST_SUPERUSER_PASSWORD" "from" $values.firstSuperuser "inline" $values.firstSuperuser.password "for" (list "api"))
-}}
{{- $secrets := list -}}
{{- range $source := $sources -}}
{{- $path := $source.setting | trimPrefix "INSULA_" | lower | replace "_" "-" -}}
{{- if not (has $component $source.for) -}}
{{- else if $source.from.existingSecret -}}
{{- $secrets = append $secrets (dict "setting" $source.setting "path" $path "secret" $source.from.existingSecret "key" $source.from.key) -}}
{{- else if $source.inline -}}
{{- $secrets = append $secrets (dict "setting" $source.setting "path" $path "secret" $own "key" $path "inline" $source.inline) -}}
{{- end -}}
{{- end -}}
{{- toYaml $secrets -}}
{{- end -}}

{{/* The contents of the chart's own Secret for a component, as a map; empty if there are none. */}}
{{- define "insula.ownSecret" -}}
{{- $data := dict -}}
{{- range $secret := include "insula.secrets" . | fromYamlArray -}}
{{- if $secret.inline -}}{{- $_ := set $data $secret.path ($secret.inline | b64enc) -}}{{- end -}}
{{- end -}}
{{- toYaml $data -}}
{{- end -}}

{{/* A value of `config` as text. Helm reads whole numbers as floats, whose text can have an exponent. */}}
{{- define "insula.text" -}}
{{- if and (kindIs "float64" .) (eq (floor .) .) -}}{{- int64 . -}}{{- else -}}{{- toString . -}}{{- end -}}
{{- end -}}

{{/* The environment of a component as a map: (dict "root" $ "component" "api"). */}}
{{- define "insula.environment" -}}
{{- $values := .root.Values -}}
{{- $env := dict "INSULA_ENVIRONMENT" $values.environment -}}
{{- if ne .component "migrate" -}}
{{- $address := ternary "[::]" $values.listenAddress (eq $values.listenAddress "::") -}}
{{- $_ := set $env "INSULA_PUBLIC_URL" $values.publicUrl -}}
{{- $_ := set $env "INSULA_OPS_BIND" (printf "%s:9090" $address) -}}
{{- $_ := set $env "INSULA_REPLICAS" (include "insula.minReplicas" .) -}}
{{- $_ := set $env "INSULA_MIGRATE_ON_START" (toString $values.embedded.enabled) -}}
{{- if $values.embedded.enabled -}}{{- $_ := set $env "INSULA_DATA_DIR" "/var/lib/insula" -}}{{- end -}}
{{- if eq .component "api" -}}
{{- $_ := set $env "INSULA_BIND" (printf "%s:8080" $address) -}}
{{- $_ := set $env "INSULA_DRAIN_DELAY" (include "insula.text" $values.api.drain.delaySeconds) -}}
{{- $_ := set $env "INSULA_DRAIN_TIMEOUT" (include "insula.text" $values.api.drain.timeoutSeconds) -}}
{{- with $values.firstSuperuser.email -}}{{- $_ := set $env "INSULA_FIRST_SUPERUSER_EMAIL" . -}}{{- end -}}
{{- with $values.trustedProxies -}}
{{- $_ := set $env "INSULA_TRUSTED_PROXIES" (join "," .) -}}
{{- /* All connections come from few proxies. */ -}}
{{- $_ := set $env "INSULA_MAX_CONNECTIONS_PER_PEER" "10000" -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- range $name, $value := $values.config -}}{{- $_ := set $env $name (include "insula.text" $value) -}}{{- end -}}
{{- range $secret := include "insula.secrets" . | fromYamlArray -}}
{{- $_ := set $env (printf "%s_FILE" $secret.setting) (printf "/etc/insula/secrets/%s" $secret.path) -}}
{{- end -}}
{{- if or $values.ca.existingConfigMap $values.ca.existingSecret -}}
{{- $_ := set $env "INSULA_CA_FILE" "/etc/insula/secrets/ca.crt" -}}
{{- end -}}
{{- toYaml $env -}}
{{- end -}}
