interface Workspace {
  readonly folder: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- whatever package.json says
  readonly manifest: Record<string, any>;
}
export const workspace: readonly Workspace[];
export const published: readonly Workspace[];
export const libraries: readonly string[];
