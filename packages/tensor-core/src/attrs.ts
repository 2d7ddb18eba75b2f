/** Parameters of a primitive or composite: plain data, part of every cache key. */
export type Attrs = { readonly [key: string]: AttrValue };
export type AttrValue = number | string | boolean | null | readonly AttrValue[] | { readonly [key: string]: AttrValue };
