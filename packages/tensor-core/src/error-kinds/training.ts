/** Errors of training: its options, its data, and the runs that it refuses or ends. */
export interface TrainingErrorKinds {
  /** Nothing would change: the adapter has no parameter that trains, or no label is kept. Check the adapter's targets, and the labels: -100 is not trained. */
  "nothing-to-train": "config";
  /** The data gave no batch. A generator can be read once: give an array, or a function that begins anew for each epoch. */
  "no-data": "config";
  /** A batch is none: fields with other numbers of rows, rows of different lengths, no ids. The message names the field. */
  "bad-batch": "config";
  /** An option of a training is none, or two do not go together. The message names it and what is expected. */
  "training-option": "config";
  /** A training would go on from a checkpoint with other settings than it was made with. The message names each; give those of the checkpoint, or allow the change. */
  "settings-changed": "config";
  /** The loss or the norm of the gradients is NaN or infinite. The parameters are those of the step before. Lower the learning rate, add warm-up, or look at the batch. */
  "non-finite-loss": "config";
  /** Even with each block computed again the step needs more memory than allowed. Use a smaller batch, or shorter rows. */
  "training-memory": "capability";
  /** A checkpoint of a training is not whole, or is of another training than this one. Take an older one; the message names the file. */
  "bad-checkpoint": "format";
}
