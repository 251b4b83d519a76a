package redistest

import (
	"fmt"
	"testing"
)

// Denied returns what the server denied to users since the last call, newest first: the command,
// key or channel, the user, and the context ("toplevel", "lua").
func (s *Server) Denied(t testing.TB) []string {
	t.Helper()
	entries, _ := s.mustDo(t, "ACL", "LOG").([]any)
	s.mustDo(t, "ACL", "LOG", "RESET")
	denied := make([]string, len(entries))
	for i, entry := range entries {
		fields := fieldsOf(entry)
		denied[i] = fmt.Sprintf("%s of %s (%s)", fields["object"], fields["username"], fields["context"])
	}
	return denied
}
