// Package script runs Lua scripts on Redis: one call, or many calls in one pipeline per node.
//
// Each script begins with lua/prelude.lua. All keys of a call must be in one slot. Scripts reply
// with an array that begins with a word; [Reply] decodes it.
//
// The package adds nothing to the errors of the client except which call they answer: see
// [CallError].
package script
