/**
 * A function of options that gives the same object for the same options: a format's identity is what plans and kernels are kept by.
 * Options are plain values.
 */
export function variants<O extends object, T>(make: (options: O) => T): (options: O) => T {
  const made = new Map<string, T>();
  return (options) => {
    const key = JSON.stringify(options);
    const known = made.get(key);
    if (known !== undefined) return known;
    const one = make(options);
    made.set(key, one);
    return one;
  };
}
