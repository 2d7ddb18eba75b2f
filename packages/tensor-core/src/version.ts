/** Set by the build, from package.json; sources that run as they are, are of no release. */
declare const PACKAGE_VERSION: string | undefined;

/** Version of this copy of the package. */
export const VERSION: string = typeof PACKAGE_VERSION === "string" ? PACKAGE_VERSION : "unreleased";
