// xterm.js comes in a component for Vue. These are the four functions of Vue that it calls.
"use strict";
globalThis.rvplatMounted = [];
globalThis.Vue = {
  ref: (value) => ({ value }),
  onMounted: (call) => globalThis.rvplatMounted.push(call),
  onBeforeUnmount: () => {},
  watch: () => {},
};
