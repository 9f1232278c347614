/** A certificate authority for one test API server, and certificates of it, made by openssl. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { programPath } from "../../harness/programs.ts";
import { run } from "./command.ts";

const DAYS = 2;

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateAuthority extends CertificateFiles {
  /** A server's certificate, for these names and addresses: `DNS:localhost`, `IP:127.0.0.1`. */
  issueServer(name: string, subjectNames: readonly string[]): Promise<CertificateFiles>;
  /** A client's: Kubernetes takes the common name for the user and each organization for a group. */
  issueClient(user: string, groups: readonly string[]): Promise<CertificateFiles>;
}

/** All files lie in `folder`, named after what they are for. */
export async function createAuthority(folder: string, name: string): Promise<CertificateAuthority> {
  const authority = await issue(folder, name, {
    subject: [`CN = ${name}`],
    extensions: ["basicConstraints = critical, CA:TRUE", "keyUsage = critical, keyCertSign, cRLSign"],
  });
  const leaf = ["basicConstraints = critical, CA:FALSE", "keyUsage = critical, digitalSignature"];
  return {
    ...authority,
    issueServer: (server, subjectNames) =>
      issue(folder, server, {
        subject: [`CN = ${server}`],
        extensions: [...leaf, "extendedKeyUsage = serverAuth", `subjectAltName = ${subjectNames.join(", ")}`],
        authority,
      }),
    issueClient: (user, groups) =>
      issue(folder, user, {
        subject: [`CN = ${user}`, ...groups.map((group, index) => `${index}.O = ${group}`)],
        extensions: [...leaf, "extendedKeyUsage = clientAuth"],
        authority,
      }),
  };
}

/** A key pair for the signing of service accounts' tokens. */
export async function createSigningKey(folder: string): Promise<{ privateKey: string; publicKey: string }> {
  const privateKey = join(folder, "service-account.key");
  const publicKey = join(folder, "service-account.pub");
  await openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", privateKey);
  await openssl("pkey", "-in", privateKey, "-pubout", "-out", publicKey);
  return { privateKey, publicKey };
}

interface Request {
  /** Lines of openssl's `distinguished_name` and `x509_extensions` sections. */
  readonly subject: readonly string[];
  readonly extensions: readonly string[];
  /** Self-signed where there is none. */
  readonly authority?: CertificateFiles;
}

/** Its own configuration file keeps the machine's openssl.cnf, and the extensions in it, out of this. */
async function issue(folder: string, name: string, request: Request): Promise<CertificateFiles> {
  const files = { certificate: join(folder, `${name}.crt`), key: join(folder, `${name}.key`) };
  const config = join(folder, `${name}.cnf`);
  writeFileSync(
    config,
    `[req]\nprompt = no\ndistinguished_name = subject\nx509_extensions = extensions
[subject]\n${request.subject.join("\n")}\n[extensions]\n${request.extensions.join("\n")}\n`,
  );
  const { authority } = request;
  await openssl(
    ...["req", "-x509", "-config", config, "-days", String(DAYS), "-sha256", "-nodes"],
    ...[
      "-newkey",
      "ec",
      "-pkeyopt",
      "ec_paramgen_curve:P-256",
      "-keyout",
      files.key,
      "-out",
      files.certificate,
    ],
    ...(authority === undefined ? [] : ["-CA", authority.certificate, "-CAkey", authority.key]),
  );
  return files;
}

async function openssl(...words: readonly string[]): Promise<void> {
  await run([programPath("openssl") ?? "openssl", ...words]);
}
