// @ts-check
/** What Dynamics refuses, as the library's promises say it. */
export class Refusal extends Error {
  /**
   * @param {string} message  as documented, or what is the matter
   * @param {number} [errorCode]
   */
  constructor(message, errorCode = 1) {
    super(message);
    this.name = "Refusal";
    this.errorCode = errorCode;
  }
}
