/** A copy of a config with some values replaced, of the same class (getters such as `scaling` stay). */
export function withValues<C extends object>(config: C, values: { readonly [field: string]: unknown }): C {
  return Object.assign(Object.create(Object.getPrototypeOf(config) as object | null) as object, config, values) as C;
}
