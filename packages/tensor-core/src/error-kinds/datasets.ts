/** Errors of data to train on. */
export interface DatasetErrorKinds {
  /** A row of data is not strict JSON. The message names file and line; correct it there. */
  "dataset-json": "format";
  /** A CSV file breaks RFC 4180, or has rows of different length. The message names file and line; quote fields that hold separators, quotes or line ends. */
  "dataset-csv": "format";
  /** A file of data is not UTF-8. Save it as UTF-8. */
  "dataset-utf8": "format";
  /** A row lacks a column of its format, or has something else in it. The message names file, line and column. */
  "dataset-row": "format";
  /** A parquet file is damaged, or is compressed in a way that is not read. Write it again with snappy. */
  "dataset-parquet": "format";
  /** The columns of a file are those of no format. Say which column is which (`columns`), or name the format. */
  "dataset-format": "config";
  /** Options of data are none, or do not go together. The message names them. */
  "dataset-option": "config";
  /** There is nothing to train on. Check the file, and what a filter or a split has left. */
  "dataset-empty": "config";
  /** No token of the data is trained on. Look at an example token by token; check roles, the mask, and whether truncation cuts the answers off. */
  "nothing-trained": "config";
  /** The token that ends an answer is never trained on: the model would not learn to stop. End answers with it, or let truncation leave it. */
  "end-never-trained": "config";
}
