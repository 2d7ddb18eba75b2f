/** A file that was chosen, with its path in the folder that it was chosen by. */
export interface PickedFile {
  readonly path: string;
  readonly file: File;
}

/** Files of an `<input>`, of a folder too. */
export const ofInput = (files: FileList): PickedFile[] =>
  [...files].map((file) => ({ path: file.webkitRelativePath === "" ? file.name : file.webkitRelativePath, file }));
