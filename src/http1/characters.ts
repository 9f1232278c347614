/** Character classes of RFC 9110 section 5.6 and RFC 9112, as tables indexed by the byte: 1 where it belongs. */

/** `tchar`: what method and field names are made of. */
export const TOKEN: Uint8Array = table((byte) =>
  /[!#$%&'*+\-.^_`|~0-9A-Za-z]/.test(String.fromCharCode(byte)),
);

/** `field-content` and the blanks between: HTAB, SP, VCHAR and obs-text; no NUL, CR, LF or other control. */
export const FIELD_VALUE: Uint8Array = table((byte) => byte === 0x09 || (byte >= 0x20 && byte !== 0x7f));

/** `A-Z`, `-` and `_`: the methods that NGINX takes. */
export const METHOD: Uint8Array = table((byte) => /[A-Z_-]/.test(String.fromCharCode(byte)));

/** What a request target must not hold: controls, space, DEL, and `#`, since a fragment never travels. */
export const TARGET_FORBIDDEN: Uint8Array = table((byte) => byte <= 0x20 || byte === 0x7f || byte === 0x23);

/** RFC 3986 reg-name, IPv4 addresses among them; no comma, which joins the values of two lines. */
export const REG_NAME: Uint8Array = table((byte) =>
  /[-._~!$&'()*+;=%0-9A-Za-z]/.test(String.fromCharCode(byte)),
);

/** Letters, digits and `-`: what a field name may hold to become a uwsgi var. */
export const VAR_NAME: Uint8Array = table((byte) => /[A-Za-z0-9-]/.test(String.fromCharCode(byte)));

/** Lower case of ASCII letters, other bytes as they are. */
export const LOWER: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte,
);

/** The value of a hexadecimal digit, 255 for every other byte. */
export const HEX_VALUE: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  const value = Number.parseInt(String.fromCharCode(byte), 16);
  return Number.isNaN(value) ? 255 : value;
});

function table(belongs: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => (belongs(byte) ? 1 : 0));
}
