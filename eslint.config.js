// What eslint asks of the lab's page. Its shape is prettier's business, its length that of tests/lab/test_static.py.

import js from "@eslint/js";
import globals from "globals";

const rules = {
  ...js.configs.recommended.rules,
  eqeqeq: "error",
  "no-shadow": "error",
  "no-use-before-define": ["error", { functions: false, variables: false }],
  "no-useless-return": "error",
  "no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
  "no-var": "error",
  "object-shorthand": "error",
  "prefer-const": "error",
  "prefer-template": "error",
};

export default [
  { ignores: [".venv/"] },
  { files: ["convscope/lab/static/js/**/*.js"], languageOptions: { globals: globals.browser }, rules },
  // The exported page's scripts stand behind each other in one file: what one does not define another does.
  {
    files: ["convscope/export/html/static/*.js"],
    languageOptions: { globals: globals.browser, sourceType: "script" },
    rules: { ...rules, "no-undef": "off", "no-unused-vars": ["error", { vars: "local", argsIgnorePattern: "^_" }] },
  },
  {
    files: ["tests/lab/node/*.mjs", "convscope/export/html/static/*.mjs", "eslint.config.js"],
    languageOptions: { globals: globals.node },
    rules,
  },
];
