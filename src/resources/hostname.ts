import { isIPv4 } from "node:net";

const LABELS = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";

/** A Gateway API hostname: lower case, exact or with one leading `*.` label. */
export const HOSTNAME_PATTERN = new RegExp(`^(\\*\\.)?${LABELS}$`);

export const HOSTNAME_MESSAGE =
  'must be a lower-case host name such as "www.example.com" or "*.example.com", without port or trailing dot';

export const HOSTNAME_ADDRESS_MESSAGE = "must not be an IP address: leave the host out to match any host";
export const MAX_LABEL_CHARACTERS = 63;
export const HOSTNAME_LABEL_MESSAGE = `has a label longer than ${MAX_LABEL_CHARACTERS} characters`;

/** What is wrong with a name that matches the pattern, or `undefined`. */
export function hostnameFault(hostname: string): string | undefined {
  if (isIPv4(hostname)) return HOSTNAME_ADDRESS_MESSAGE;
  if (hostname.split(".").some((label) => label.length > MAX_LABEL_CHARACTERS)) return HOSTNAME_LABEL_MESSAGE;
  return undefined;
}
