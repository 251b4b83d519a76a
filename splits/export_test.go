package splits

// Buffered is the number of bytes that a consumer has fetched ahead.
func Buffered(c *Consumer) int {
	c.reader.mu.Lock()
	defer c.reader.mu.Unlock()
	return c.reader.buffered
}
