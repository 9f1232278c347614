#!/bin/sh
# Renders deploy/uwsgi-gateway.yaml from the chart, for clusters without Helm: deploy/render.sh [FILE], where `-` is standard
# output. HELM names the program.
set -eu
cd "$(dirname "$0")/.."
file=${1:-deploy/uwsgi-gateway.yaml}

# A Helm that was built from its module alone believes in a Kubernetes older than the chart allows, so the version is said.
rendered=$("${HELM:-helm}" template uwsgi-gateway charts/uwsgi-gateway \
  --namespace uwsgi-gateway --kube-version 1.30.0 --include-crds --skip-tests)

render() {
  cat <<'HEADER'
# uwsgi-gateway with the chart's default values: kubectl apply --server-side -f deploy/uwsgi-gateway.yaml
# Rendered from charts/uwsgi-gateway by deploy/render.sh (make generate). Edit the chart, not this file.
# The image is the name `uwsgi-gateway` alone: put your registry's in, for instance with kustomize (`images:`).
apiVersion: v1
kind: Namespace
metadata:
  name: uwsgi-gateway
  labels:
    pod-security.kubernetes.io/enforce: restricted
HEADER
  # Nothing here is Helm's to manage; and Helm 4 ends documents with an empty line where Helm 3 does not.
  printf '%s\n' "$rendered" |
    sed -e '/^ *app.kubernetes.io\/managed-by: Helm$/d' -e '/^ *helm.sh\/chart: /d' |
    awk '/^$/ { empty = empty "\n"; next } /^---$/ { empty = "" } { printf "%s%s\n", empty, $0; empty = "" }'
}

if [ "$file" = - ]; then
  render
else
  render >"$file.new"
  mv "$file.new" "$file"
fi
