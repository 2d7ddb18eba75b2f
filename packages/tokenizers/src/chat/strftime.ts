const DAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];
const padded = (n: number, width = 2): string => String(n).padStart(width, "0");
const dayOfYear = (date: Date): number =>
  Math.round(
    (new Date(date.getFullYear(), date.getMonth(), date.getDate()).getTime() - new Date(date.getFullYear(), 0, 1).getTime()) / 86_400_000,
  ) + 1;

const CODES: Readonly<Record<string, (date: Date) => string>> = {
  a: (d) => DAYS[d.getDay()]!.slice(0, 3),
  A: (d) => DAYS[d.getDay()]!,
  b: (d) => MONTHS[d.getMonth()]!.slice(0, 3),
  B: (d) => MONTHS[d.getMonth()]!,
  d: (d) => padded(d.getDate()),
  H: (d) => padded(d.getHours()),
  I: (d) => padded(d.getHours() % 12 || 12),
  j: (d) => padded(dayOfYear(d), 3),
  m: (d) => padded(d.getMonth() + 1),
  M: (d) => padded(d.getMinutes()),
  p: (d) => (d.getHours() < 12 ? "AM" : "PM"),
  S: (d) => padded(d.getSeconds()),
  w: (d) => String(d.getDay()),
  y: (d) => padded(d.getFullYear() % 100),
  Y: (d) => padded(d.getFullYear(), 4),
  "%": () => "%",
};

/** Python's `strftime` in the C locale and local time. @throws Error for a code that it does not have */
export function strftime(date: Date, format: string): string {
  return format.replace(/%(-?)(.)/gs, (whole, short: string, code: string) => {
    const write = Object.hasOwn(CODES, code) ? CODES[code] : undefined;
    if (!write)
      throw new Error(
        `strftime_now: ${whole} is not supported; there are ${Object.keys(CODES)
          .map((one) => `%${one}`)
          .join(" ")}`,
      );
    const text = write(date);
    return short ? text.replace(/^0+(?=\d)/, "") : text;
  });
}
