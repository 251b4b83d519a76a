// Package keys makes and parses the names of Redis keys and channels, and validates the names that
// users choose. It uses no Redis client.
package keys
