/** Dates in HTTP fields: RFC 9110 section 5.6.7. All times are milliseconds since the epoch. */

const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** `Sun, 06 Nov 1994 08:49:37 GMT` */
const IMF = /^[A-Z][a-z]{2}, (\d{2}) ([A-Z][a-z]{2}) (\d{4}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
/** `Sunday, 06-Nov-94 08:49:37 GMT` */
const RFC850 = /^[A-Z][a-z]+, (\d{2})-([A-Z][a-z]{2})-(\d{2}) (\d{2}):(\d{2}):(\d{2}) GMT$/;
/** `Sun Nov  6 08:49:37 1994` */
const ASCTIME = /^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \d]\d) (\d{2}):(\d{2}):(\d{2}) (\d{4})$/;

/** The only form that may be sent. Fractions of a second are cut off. */
export function formatHttpDate(ms: number): string {
  return new Date(ms).toUTCString();
}

/** Reads all three forms; `undefined` for anything else, since a date that is not valid must be ignored. */
export function parseHttpDate(value: string): number | undefined {
  const imf = IMF.exec(value);
  if (imf) return toMs(imf[3]!, imf[2]!, imf[1]!, imf[4]!, imf[5]!, imf[6]!);
  const rfc850 = RFC850.exec(value);
  if (rfc850) return toMs(century(rfc850[3]!), rfc850[2]!, rfc850[1]!, rfc850[4]!, rfc850[5]!, rfc850[6]!);
  const asctime = ASCTIME.exec(value);
  if (asctime) return toMs(asctime[6]!, asctime[1]!, asctime[2]!, asctime[3]!, asctime[4]!, asctime[5]!);
  return undefined;
}

/** Two digits are 1970 to 2069: senders of this form are old, and no clock is needed to read it. */
function century(year: string): string {
  return (Number(year) < 70 ? "20" : "19") + year;
}

function toMs(year: string, month: string, day: string, hour: string, minute: string, second: string) {
  const monthIndex = MONTHS.indexOf(month);
  const tooLarge = Number(hour) > 23 || Number(minute) > 59 || Number(second) > 60;
  if (monthIndex < 0 || tooLarge) return undefined;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), monthIndex, Number(day));
  if (date.getUTCDate() !== Number(day)) return undefined;
  return date.setUTCHours(Number(hour), Number(minute), Number(second));
}
