const WHOLE = new Intl.NumberFormat("en-US");

/** `1,234` */
export const whole = (x: number): string => WHOLE.format(Math.round(x));

/** A loss or a norm: two digits behind the point. */
export const loss = (x: number | null | undefined): string =>
  x === undefined ? "–" : x === null || Number.isNaN(x) ? "not a number" : x.toFixed(2);

/** A learning rate: `1.8e-4`. */
export const rate = (x: number | undefined): string => (x === undefined ? "–" : x === 0 ? "0" : x.toExponential(1));

/** `412 MB`, `1.9 GB`: decimal, three digits at most. */
export function bytes(x: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let power = 0;
  let value = x;
  for (; value >= 999.5 && power < units.length - 1; power++) value /= 1000;
  return `${value < 10 && power > 0 ? value.toFixed(1) : Math.round(value)} ${units[power]}`;
}

const two = (n: number): string => String(n).padStart(2, "0");

/** `6:12`, `1:06:12` */
export function clock(seconds: number): string {
  const all = Math.max(0, Math.round(seconds));
  const [h, m, s] = [Math.floor(all / 3600), Math.floor(all / 60) % 60, all % 60];
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}

/** `about 4 min`, `less than a minute` and so on: no more exact than it is. */
export function about(seconds: number): string {
  if (seconds < 1.5) return "about 1 s";
  if (seconds < 60) return `about ${Math.round(seconds)} s`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${Math.round(seconds / 3600)} h`;
}
