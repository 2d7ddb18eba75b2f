/** What a module of the user's imports as `@weft/tensor-core/linalg`: the program's own copy, of which there must be one. */
export * from "@weft/tensor-core/linalg";
