{{/* The prefix of the names of all objects. */}}
{{- define "insula.fullname" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that identify the pods of a component: (dict "root" $ "component" "api"). */}}
{{- define "insula.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride | trunc 63 }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* All labels of an object: (dict "root" $ "component" "api"). */}}
{{- define "insula.labels" -}}
{{- $labels := include "insula.selector" . | fromYaml -}}
{{- $_ := set $labels "app.kubernetes.io/version" .root.Chart.AppVersion -}}
{{- $_ := set $labels "app.kubernetes.io/managed-by" .root.Release.Service -}}
{{- $_ := set $labels "app.kubernetes.io/part-of" "insula" -}}
{{- $_ := set $labels "helm.sh/chart" (printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_") -}}
{{- toYaml (merge $labels .root.Values.commonLabels) -}}
{{- end -}}

{{/* Annotations of an object that must exist before the migration runs: (dict "root" $ "weight" "-10"). */}}
{{- define "insula.hook" -}}
helm.sh/hook: pre-install,pre-upgrade
helm.sh/hook-weight: {{ .weight | quote }}
helm.sh/hook-delete-policy: {{ .delete }}
{{- end -}}

{{- define "insula.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{- define "insula.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "insula.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* The host of `publicUrl`, without its port. */}}
{{- define "insula.publicHost" -}}
{{- (urlParse .Values.publicUrl).host | regexFind "^[^:]+" -}}
{{- end -}}

{{/* The number of API servers; without autoscaling. */}}
{{- define "insula.apiReplicas" -}}
{{- default (ternary 1 2 .Values.embedded.enabled) .Values.api.replicas -}}
{{- end -}}

{{/* The smallest number of pods of a component that run at the same time: (dict "root" $ "component" "api"). */}}
{{- define "insula.minReplicas" -}}
{{- $values := .root.Values -}}
{{- if eq .component "worker" -}}
{{- ternary $values.worker.keda.minReplicas $values.worker.replicas $values.worker.keda.enabled -}}
{{- else -}}
{{- ternary ($values.api.autoscaling.minReplicas | toString) (include "insula.apiReplicas" .root) $values.api.autoscaling.enabled -}}
{{- end -}}
{{- end -}}
