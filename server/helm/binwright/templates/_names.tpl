{{- define "binwright.name" -}}
{{- if contains "binwright" .Release.Name }}{{ .Release.Name }}{{ else }}{{ .Release.Name }}-binwright{{ end -}}
{{- end }}

{{- define "binwright.selector" -}}
app.kubernetes.io/name: binwright
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "binwright.labels" -}}
{{ include "binwright.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "binwright.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  capabilities: {drop: [ALL]}
  runAsNonRoot: true
  runAsUser: 65534
  seccompProfile: {type: RuntimeDefault}
{{- end }}

{{/* Arguments by which a client reaches the server. */}}
{{- define "binwright.connection" -}}
- --server={{ include "binwright.name" . }}.{{ .Release.Namespace }}.svc:50051
{{- if .Values.tls.secretName }}
- --tls-ca=/tls/ca.crt
{{- end }}
{{- if .Values.tokens.secretName }}
- --token-file=/tokens/tokens
{{- end }}
{{- end }}

{{- define "binwright.mounts" -}}
{{- if .Values.tls.secretName }}
- {name: tls, mountPath: /tls, readOnly: true}
{{- end }}
{{- if .Values.tokens.secretName }}
- {name: tokens, mountPath: /tokens, readOnly: true}
{{- end }}
{{- end }}

{{- define "binwright.volumes" -}}
{{- if .Values.tls.secretName }}
- {name: tls, secret: {secretName: {{ .Values.tls.secretName }}}}
{{- end }}
{{- if .Values.tokens.secretName }}
- {name: tokens, secret: {secretName: {{ .Values.tokens.secretName }}}}
{{- end }}
{{- end }}
