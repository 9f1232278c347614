/** What the surroundings decide, not the objects. */
export interface TranslateOptions {
  /** IngressClass objects with this `spec.controller` are ours. */
  readonly controllerName: string;
  /**
   * Where there is no IngressClass object at all: objects that name this class, or none, are ours. Absent: a class
   * must be an object.
   */
  readonly classWithoutObject?: string;
  /** Sockets as backends. Not beside other people's routes: they reach whatever the proxy's host can reach. */
  readonly socketBackends: boolean;
  /** Let params set UWSGI_SCRIPT, which makes uWSGI load a module by name. */
  readonly allowUwsgiScript: boolean;
  /** Secrets are not read here, so nothing can be said about certificates. */
  readonly withoutSecrets?: boolean;
  /** Where the proxies are (`topology.kubernetes.io/zone`): hints of EndpointSlices for it are honoured. */
  readonly zone?: string;
}

export const CONTROLLER_NAME = "uwsgi-gateway.io/ingress-controller";

/** For manifests in a folder: the standalone gateway and the sidecar. */
export const FOLDER_OPTIONS: TranslateOptions = {
  controllerName: CONTROLLER_NAME,
  classWithoutObject: "uwsgi",
  socketBackends: true,
  allowUwsgiScript: false,
};
