/** Makers of formats, by options. */
export interface Variants<O extends object, T extends object> {
  /** The same object for the same options: a format's identity is what plans and kernels are kept by. */
  (options: O): T;
  /** The options of what was made; undefined for what was not made here. */
  optionsOf(made: object): O | undefined;
}

/** Keeps what `make` makes of options, which are plain values. */
export function variants<O extends object, T extends object>(make: (options: O) => T): Variants<O, T> {
  const made = new Map<string, T>();
  const options = new WeakMap<object, O>();
  const of = (wanted: O): T => {
    const key = JSON.stringify(wanted);
    const known = made.get(key);
    if (known) return known;
    const one = make(wanted);
    made.set(key, one);
    options.set(one, wanted);
    return one;
  };
  return Object.assign(of, { optionsOf: (one: object) => options.get(one) });
}
