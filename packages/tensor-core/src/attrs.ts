/** Parameters of a primitive or composite: plain data, part of every cache key. */
export type Attrs = { readonly [key: string]: AttrValue };
/** What an attribute of a node may be: plain data, which plans are told apart by. */
export type AttrValue = number | string | boolean | null | readonly AttrValue[] | { readonly [key: string]: AttrValue };
