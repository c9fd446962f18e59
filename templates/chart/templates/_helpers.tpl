{{- define "nodepad.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The labels of every pod of the chart */}}
{{- define "nodepad.release" -}}
app.kubernetes.io/name: nodepad
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
{{/* The labels of a component: (list $ "api") */}}
{{- define "nodepad.selector" -}}
{{ include "nodepad.release" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}
{{- define "nodepad.labels" -}}
{{- $ := index . 0 -}}
{{ include "nodepad.selector" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" }}
{{- /* the compose service that this is: airdock knows writers, traffic and the database by it */}}
airdock.dev/service: {{ get (dict "postgresql" "db") (index . 1) | default (index . 1) }}
{{- end -}}

{{/* The name of an image: (list $ .Values.image) */}}
{{- define "nodepad.image" -}}
{{- $ := index . 0 -}}
{{- $image := index . 1 -}}
{{- printf "%s/%s:%s" ($.Values.global.imageRegistry | default $image.registry) $image.repository ($image.tag | default $.Chart.AppVersion) -}}
{{- end -}}

{{/* The members of every pod's spec: where and how the pod runs */}}
{{- define "nodepad.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.affinity }}
affinity: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* The security context of a container that needs no root; the user id is that of the image */}}
{{- define "nodepad.podSecurity" -}}
securityContext:
  runAsNonRoot: true
  runAsUser: {{ . }}
  runAsGroup: {{ . }}
  seccompProfile:
    type: RuntimeDefault
{{- end -}}
{{- define "nodepad.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities:
    drop: [ALL]
{{- end -}}

{{- define "nodepad.env" -}}
{{- $name := include "nodepad.fullname" . -}}
envFrom:
  - secretRef:
      name: {{ .Values.secret.name }}
env:
  - name: NODEPAD_RUN_MIGRATIONS_ON_START
    value: '0'
  {{- if .Values.postgresql.bundled }}
  - name: POSTGRES_HOST
    value: {{ $name }}-postgresql
  - name: POSTGRES_USER
    value: {{ .Values.postgresql.user | quote }}
  - name: POSTGRES_DB
    value: {{ .Values.postgresql.database | quote }}
  {{- end }}
  {{- if .Values.redis.bundled }}
  - name: NODEPAD_REDIS_URL
    value: redis://{{ $name }}-redis:6379/0
  {{- else if .Values.redis.url }}
  - name: NODEPAD_REDIS_URL
    value: {{ .Values.redis.url | quote }}
  {{- end }}
  - name: NODEPAD_PUBLIC_URL
    value: {{ .Values.publicUrl | quote }}
  - name: NODEPAD_EXPORT_LIMIT
    value: {{ .Values.exportLimit | quote }}
  - name: NODEPAD_STORAGE_URL
    value: {{ .Values.storage.url | quote }}
  {{- with .Values.extraEnv }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end -}}

{{/* The Deployment of api, worker or beat: (list $ "worker" .Values.worker) */}}
{{- define "nodepad.app" -}}
{{- $ := index . 0 -}}
{{- $role := index . 1 -}}
{{- $values := index . 2 -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "nodepad.fullname" $ }}-{{ $role }}
  labels: {{- include "nodepad.labels" (list $ $role) | nindent 4 }}
spec:
  {{- if eq $role "beat" }}
  replicas: 1
  strategy:
    type: Recreate
  {{- else if not (kindIs "invalid" $values.replicas) }}
  replicas: {{ $values.replicas }}
  {{- end }}
  selector:
    matchLabels: {{- include "nodepad.selector" (list $ $role) | nindent 6 }}
  template:
    metadata:
      labels: {{- include "nodepad.labels" (list $ $role) | nindent 8 }}
      {{- with $.Values.podAnnotations }}
      annotations: {{- toYaml . | nindent 8 }}
      {{- end }}
    spec:
      {{- include "nodepad.pod" $ | nindent 6 }}
      {{- include "nodepad.podSecurity" 10001 | nindent 6 }}
      terminationGracePeriodSeconds: 15
      containers:
        - name: {{ $role }}
          image: {{ include "nodepad.image" (list $ $.Values.image) }}
          imagePullPolicy: {{ $.Values.image.pullPolicy }}
          args: [{{ $role }}]
          {{- include "nodepad.env" $ | nindent 10 }}
          {{- if eq $role "api" }}
            - name: GUNICORN_WORKERS
              value: {{ $values.workers | quote }}
          ports:
            - name: http
              containerPort: 8000
          # Neither probe asks the database: `helm install --wait` waits for readiness
          # before the post-install hook makes the schema.
          startupProbe:
            httpGet: { path: /api/health, port: http }
            periodSeconds: 1
            failureThreshold: 60
          readinessProbe:
            httpGet: { path: /api/health, port: http }
            periodSeconds: 3
          livenessProbe:
            httpGet: { path: /api/health, port: http }
            periodSeconds: 10
            timeoutSeconds: 5
          {{- end }}
          {{- include "nodepad.containerSecurity" $ | nindent 10 }}
          resources: {{- toYaml $values.resources | nindent 12 }}
          volumeMounts:
            - name: tmp
              mountPath: /tmp
      volumes:
        - name: tmp
          emptyDir: {}
{{- end -}}
