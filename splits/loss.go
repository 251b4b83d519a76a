package splits

// Loss describes entries of a split that were removed before they were read, or a stream that was
// replaced by another one.
type Loss struct {
	Split Split
	// After is the position behind which entries are missing.
	After Offset
	// Entries is the number of entries that were never read; a lower bound unless Exact. A stream
	// that was recreated may have had entries that were never seen, so it can be 0.
	Entries int64
	Exact   bool
	// Recreated is true if the stream was deleted and recreated, or rolled back. Gone is true if
	// the stream does not exist.
	Recreated, Gone bool
	// FullyRead is true if only the stream went away, as one that expires does, and everything that
	// was seen of it had been read. Nothing is known to be lost.
	FullyRead bool
	// ReadLost is the number of entries that had been read and are not in the stream any more, as
	// far as the counts show.
	ReadLost int64
	// From is the position behind which reading continues, if Recreated or Gone.
	From Offset
	// Stopped is true if the split is not read any further, because of Config.FailOnLoss.
	Stopped bool
}
