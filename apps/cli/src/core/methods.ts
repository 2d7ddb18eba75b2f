/** What a module of the user's imports as `@weft/tensor-core/methods`: the program's own copy, of which there must be one. */
export * from "@weft/tensor-core/methods";
