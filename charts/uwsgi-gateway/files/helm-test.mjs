// `helm test`: each URL must answer, with one of its statuses, before the time is up. Arguments: TIMEOUT_MS URL=STATUS[,STATUS…] …
const [timeoutMs, ...wanted] = process.argv.slice(1);
const pauseMs = 1_000;

async function attempt(url) {
  try {
    return (await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(5_000) })).status;
  } catch (error) {
    return error.cause?.message ?? error.message;
  }
}

async function check(url, statuses) {
  for (const deadline = Date.now() + Number(timeoutMs); ; ) {
    const answer = await attempt(url);
    if (statuses.includes(answer)) return console.log(`ok: ${url} answers ${answer}`);
    if (Date.now() > deadline) throw new Error(`${url}: ${answer}, expected ${statuses.join(" or ")}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}

for (const argument of wanted) {
  const at = argument.lastIndexOf("=");
  await check(argument.slice(0, at), argument.slice(at + 1).split(",").map(Number));
}
