export const SECRET_KEY = "one that is drawn for these tests: 7f3a9c5e";
