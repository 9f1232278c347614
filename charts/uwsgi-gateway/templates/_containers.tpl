{{/* The controller: reads the cluster, feeds the proxy. */}}
{{- define "uwsgi-gateway.controller" -}}
image: {{ include "uwsgi-gateway.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
# The runtime would let garbage grow to several times what the tables take, or by itself give them less than the limit allows.
command:
  - /app/node_modules/.bin/node
  - --max-semi-space-size=4
  - --max-old-space-size={{ .Values.controller.heapMiB }}
  - /app/cmd/controller.ts
args:
  - --feed=unix:/run/uwsgi-gateway/feed.sock
  - --admin={{ .Values.listenHost }}:{{ .Values.controller.adminPort }}
  - --controller-name={{ .Values.ingressClass.controller }}
  - --lease-namespace={{ .Release.Namespace }}
  - --lease-name={{ include "uwsgi-gateway.fullname" . }}
  - --log-level={{ .Values.controller.logLevel }}
  {{- with .Values.watchNamespaces }}
  - --namespaces={{ join "," . }}
  {{- end }}
  {{- with .Values.watchNamespaceSelector }}
  - {{ printf "--namespace-selector=%s" . | quote }}
  {{- end }}
  {{- if eq (include "uwsgi-gateway.publishesService" .) "true" }}
  - --publish-service={{ .Release.Namespace }}/{{ include "uwsgi-gateway.fullname" . }}
  {{- end }}
  {{- range .Values.publishAddresses }}
  - {{ printf "--publish-address=%s" . | quote }}
  {{- end }}
  {{- if not .Values.readSecrets }}
  - --max-secrets=0
  {{- end }}
  {{- if .Values.allowUwsgiScript }}
  - --allow-uwsgi-script
  {{- end }}
  {{- range .Values.controller.extraArgs }}
  - {{ . | quote }}
  {{- end }}
env:
  - { name: POD_NAME, valueFrom: { fieldRef: { fieldPath: metadata.name } } }
  - { name: POD_NAMESPACE, valueFrom: { fieldRef: { fieldPath: metadata.namespace } } }
  # The node's zone, which Kubernetes 1.35 copies to its pods. Empty where it does not: then endpoints of all zones are alike.
  - { name: UWSGI_GATEWAY_ZONE, valueFrom: { fieldRef: { fieldPath: "metadata.labels['topology.kubernetes.io/zone']" } } }
  {{- with .Values.controller.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
ports:
  - { name: ctl-admin, containerPort: {{ .Values.controller.adminPort }} }
securityContext:
  {{- include "uwsgi-gateway.containerSecurity" list | nindent 2 }}
startupProbe:
  httpGet: { path: /healthz, port: ctl-admin }
  {{- toYaml .Values.probes.startup | nindent 2 }}
# /healthz, not /readyz, and as patient as the liveness probe: a proxy that serves its last snapshot must stay in rotation
# while its controller is busy or waits for the API server. A new pod is ready once its proxy has a table.
readinessProbe:
  httpGet: { path: /healthz, port: ctl-admin }
  {{- toYaml .Values.probes.liveness | nindent 2 }}
livenessProbe:
  httpGet: { path: /healthz, port: ctl-admin }
  {{- toYaml .Values.probes.liveness | nindent 2 }}
{{- if gt (int .Values.proxy.drainDelaySeconds) 0 }}
# The proxy accepts for this long yet, and needs to be told which endpoints come and go.
lifecycle:
  preStop: { sleep: { seconds: {{ .Values.proxy.drainDelaySeconds }} } }
{{- end }}
resources:
  {{- toYaml .Values.controller.resources | nindent 2 }}
volumeMounts:
  - { name: feed, mountPath: /run/uwsgi-gateway }
  - { name: token, mountPath: /var/run/secrets/kubernetes.io/serviceaccount, readOnly: true }
{{- end }}

{{/* The proxy: serves traffic by the controller's snapshots. */}}
{{- define "uwsgi-gateway.proxy" -}}
image: {{ include "uwsgi-gateway.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
command: [/app/node_modules/.bin/bun, /app/cmd/proxy.ts]
args:
  - --feed=unix:/run/uwsgi-gateway/feed.sock
  - --snapshot-file=/var/lib/uwsgi-gateway/snapshot.json
  - --temp-dir=/var/lib/uwsgi-gateway
  - --http={{ .Values.listenHost }}:{{ .Values.proxy.httpPort }}
  - --admin={{ .Values.listenHost }}:{{ .Values.proxy.adminPort }}
  - --workers={{ .Values.proxy.workers }}
  # The proxy's own preStop: not ready, but accepting, as long as load balancers may not have noticed.
  - --drain-delay={{ .Values.proxy.drainDelaySeconds }}s
  - --drain-timeout={{ .Values.proxy.drainTimeoutSeconds }}s
  - --log-level={{ .Values.proxy.logLevel }}
  {{- /* `off` without quotes is false in YAML 1.1. */}}
  - --access-log={{ eq (toString .Values.proxy.accessLog) "false" | ternary "off" .Values.proxy.accessLog }}
  - --access-log-format={{ .Values.proxy.accessLogFormat }}
  {{- range .Values.proxy.trustedProxies }}
  - --trusted-proxies={{ . }}
  {{- end }}
  {{- range .Values.proxy.extraArgs }}
  - {{ . | quote }}
  {{- end }}
{{- with .Values.proxy.extraEnv }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  - name: http
    containerPort: {{ .Values.proxy.httpPort }}
    {{- if .Values.hostPort.enabled }}
    hostPort: {{ .Values.hostPort.http }}
    {{- end }}
  - { name: admin, containerPort: {{ .Values.proxy.adminPort }} }
securityContext:
  {{- include "uwsgi-gateway.containerSecurity" (lt (int .Values.proxy.httpPort) 1024 | ternary (list "NET_BIND_SERVICE") list) | nindent 2 }}
startupProbe:
  httpGet: { path: /healthz, port: admin }
  {{- toYaml .Values.probes.startup | nindent 2 }}
readinessProbe:
  httpGet: { path: /readyz, port: admin }
  {{- toYaml .Values.probes.readiness | nindent 2 }}
livenessProbe:
  httpGet: { path: /healthz, port: admin }
  {{- toYaml .Values.probes.liveness | nindent 2 }}
resources:
  {{- toYaml .Values.proxy.resources | nindent 2 }}
volumeMounts:
  - { name: feed, mountPath: /run/uwsgi-gateway }
  - { name: state, mountPath: /var/lib/uwsgi-gateway }
  {{- with .Values.proxy.extraVolumeMounts }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
