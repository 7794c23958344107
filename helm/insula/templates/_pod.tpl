{{/*
The template of a pod: (dict "root" $ "component" "api" "args" (list …) "values" .Values.api "container" (dict …) "grace" 40).
`container` and `spec` are merged into the container and the pod.
*/}}
{{- define "insula.podTemplate" -}}
{{- $root := .root -}}
{{- $values := .values -}}
{{- $embedded := and $root.Values.embedded.enabled (eq .component "api") -}}
{{- $own := include "insula.ownSecret" . | fromYaml -}}
{{- $secrets := include "insula.secrets" . | fromYamlArray -}}
{{- $ca := $root.Values.ca -}}
{{- $hasFiles := or $secrets $ca.existingConfigMap $ca.existingSecret -}}
metadata:
  labels:
    {{- include "insula.labels" . | nindent 4 }}
    {{- with $values.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or $own $values.podAnnotations }}
  annotations:
    {{- if $own }}
    checksum/secret: {{ toYaml $own | sha256sum }}
    {{- end }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- with .spec }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with $root.Values.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- toYaml $root.Values.podSecurityContext | nindent 4 }}
  {{- with $values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    {{- $selector := dict "labelSelector" (dict "matchLabels" (include "insula.selector" $ | fromYaml)) }}
    - {{- merge (deepCopy .) (ternary dict $selector (hasKey . "labelSelector")) | toYaml | nindent 6 }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .component }}
      image: {{ include "insula.image" $root | quote }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args:
        {{- toYaml .args | nindent 8 }}
      env:
        {{- range $name, $value := include "insula.environment" . | fromYaml }}
        - name: {{ $name }}
          value: {{ $value | quote }}
        {{- end }}
        {{- with $root.Values.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- with .container }}
      {{- toYaml . | nindent 6 }}
      {{- end }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        {{- toYaml $root.Values.securityContext | nindent 8 }}
      volumeMounts:
        - name: tmp
          mountPath: /tmp
        {{- if $hasFiles }}
        - name: secrets
          mountPath: /etc/insula/secrets
          readOnly: true
        {{- end }}
        {{- if $embedded }}
        - name: data
          mountPath: /var/lib/insula
        {{- end }}
        {{- with $root.Values.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: tmp
      emptyDir: {}
    {{- if $hasFiles }}
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- range $secrets }}
          - secret:
              name: {{ .secret }}
              items:
                - key: {{ .key }}
                  path: {{ .path }}
          {{- end }}
          {{- if $ca.existingConfigMap }}
          - configMap:
              name: {{ $ca.existingConfigMap }}
              items:
                - key: {{ $ca.key }}
                  path: ca.crt
          {{- else if $ca.existingSecret }}
          - secret:
              name: {{ $ca.existingSecret }}
              items:
                - key: {{ $ca.key }}
                  path: ca.crt
          {{- end }}
    {{- end }}
    {{- if $embedded }}
    - name: data
      persistentVolumeClaim:
        claimName: {{ default (printf "%s-data" (include "insula.fullname" $root)) $root.Values.embedded.persistence.existingClaim }}
    {{- end }}
    {{- with $root.Values.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}

{{/* Startup and liveness on the ops port. A pod has 60 s to start. */}}
{{- define "insula.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: ops}
  periodSeconds: 2
  failureThreshold: 30
livenessProbe:
  httpGet: {path: /livez, port: ops}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: ops}
  periodSeconds: 5
  timeoutSeconds: 4
  failureThreshold: 3
{{- end -}}
