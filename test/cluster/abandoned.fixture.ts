/** A test process that starts a pod, tells of it, and is killed before it could take it away. */
import { podNetwork } from "./harness/network.ts";
import { startPod } from "./harness/pods.ts";

const pod = await startPod({ name: "abandoned" });
const { bridge } = await podNetwork();
console.log(JSON.stringify({ bridge, namespace: pod.namespace, uwsgi: pod.uwsgi.process.pid }));
process.kill(process.pid, "SIGKILL");
