package splits

// Buffered returns the number of bytes that a consumer has fetched ahead.
func Buffered(c *Consumer) int {
	c.set.mu.Lock()
	defer c.set.mu.Unlock()
	return c.set.buffered
}
