{{- define "uwsgi-gateway.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
{{- end }}

{{/* Leaves room for the suffixes below within a label's 63 characters. */}}
{{- define "uwsgi-gateway.fullname" -}}
{{- $name := include "uwsgi-gateway.name" . }}
{{- if .Values.fullnameOverride }}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" }}
{{- else if contains $name .Release.Name }}
{{- .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Of objects without a namespace: two releases of one name in two namespaces must not meet. */}}
{{- define "uwsgi-gateway.clusterName" -}}
{{- printf "%s:%s" .Release.Namespace (include "uwsgi-gateway.fullname" .) }}
{{- end }}

{{- define "uwsgi-gateway.selectorLabels" -}}
app.kubernetes.io/name: {{ include "uwsgi-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: gateway
{{- end }}

{{- define "uwsgi-gateway.commonLabels" -}}
{{ with .Values.commonLabels }}{{ toYaml . }}
{{ end -}}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end }}

{{- define "uwsgi-gateway.labels" -}}
{{ include "uwsgi-gateway.selectorLabels" . }}
{{ include "uwsgi-gateway.commonLabels" . }}
{{- end }}

{{- define "uwsgi-gateway.serviceAccountName" -}}
{{- if .Values.serviceAccount.create }}
{{- default (include "uwsgi-gateway.fullname" .) .Values.serviceAccount.name }}
{{- else }}
{{- required "serviceAccount.name is needed where serviceAccount.create is false" .Values.serviceAccount.name }}
{{- end }}
{{- end }}

{{- define "uwsgi-gateway.image" -}}
{{- if .Values.image.digest }}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest }}
{{- else }}
{{- printf "%s:%s" .Values.image.repository (default .Chart.AppVersion .Values.image.tag) }}
{{- end }}
{{- end }}

{{/* Pod Security `restricted`. Call with a list of capabilities to add. */}}
{{- define "uwsgi-gateway.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- if . }}
  add: {{ toJson . }}
{{- end }}
{{- end }}

{{- define "uwsgi-gateway.podSecurity" -}}
runAsNonRoot: true
{{ toYaml .Values.podUser }}
seccompProfile: { type: RuntimeDefault }
{{- end }}

{{/* Who a subject of the bindings is. */}}
{{- define "uwsgi-gateway.subjects" -}}
- kind: ServiceAccount
  name: {{ include "uwsgi-gateway.serviceAccountName" . }}
  namespace: {{ .Release.Namespace }}
{{- end }}

{{/* What the controller needs in each namespace that it watches. It gets a single object where a status was refused as outdated. */}}
{{- define "uwsgi-gateway.watchRules" -}}
- apiGroups: [networking.k8s.io]
  resources: [ingresses]
  verbs: [get, list, watch]
- apiGroups: [networking.k8s.io]
  resources: [ingresses/status]
  verbs: [patch]
- apiGroups: [uwsgi-gateway.io]
  resources: [uwsgiroutes]
  verbs: [get, list, watch]
- apiGroups: [uwsgi-gateway.io]
  resources: [uwsgiroutes/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [services]
  verbs: [list, watch]
- apiGroups: [discovery.k8s.io]
  resources: [endpointslices]
  verbs: [list, watch]
{{- if .Values.readSecrets }}
- apiGroups: [""]
  resources: [secrets]
  verbs: [list, watch]
{{- end }}
- apiGroups: [""]
  resources: [events]
  verbs: [create, patch]
{{- end }}

{{/* Settings that the schema cannot see are wrong together. */}}
{{- define "uwsgi-gateway.check" -}}
{{- if eq (int .Values.controller.adminPort) (int .Values.proxy.adminPort) }}
{{- fail "controller.adminPort and proxy.adminPort must differ: the containers share the pod's address" }}
{{- end }}
{{- if has (int .Values.proxy.httpPort) (list (int .Values.controller.adminPort) (int .Values.proxy.adminPort)) }}
{{- fail "proxy.httpPort must differ from the admin ports: the containers share the pod's address" }}
{{- end }}
{{- if not (or .Values.service.enabled .Values.hostPort.enabled) }}
{{- fail "nothing would reach the gateway: turn on service.enabled or hostPort.enabled" }}
{{- end }}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) }}
{{- fail "autoscaling.minReplicas is more than autoscaling.maxReplicas" }}
{{- end }}
{{- end }}

{{/* Whether Ingresses get the address of the Service's load balancer. */}}
{{- define "uwsgi-gateway.publishesService" -}}
{{- and .Values.service.enabled (eq .Values.service.type "LoadBalancer") (not .Values.publishAddresses) }}
{{- end }}

{{/* The pod of `helm test`. */}}
{{- define "uwsgi-gateway.testLabels" -}}
app.kubernetes.io/name: {{ include "uwsgi-gateway.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/component: test
{{- end }}

{{- define "uwsgi-gateway.testPeer" -}}
- podSelector:
    matchLabels:
      {{- include "uwsgi-gateway.testLabels" . | nindent 6 }}
{{- end }}
