package diag

import (
	"fmt"
	"strings"
)

// Suggest returns `did you mean "x"?` for the known word nearest to word, or a list of the known ones when none is near.
func Suggest(word string, known []string) string {
	best, near := nearest(word, known)
	switch {
	case near:
		return fmt.Sprintf("did you mean %q?", best)
	case len(known) == 0:
		return "remove it"
	default:
		return "known here: " + strings.Join(known, ", ")
	}
}

// Choose is Suggest where the message lists the known words already: `write a, b or c` when none is near and they are few.
func Choose(word string, known []string) string {
	if best, near := nearest(word, known); near {
		return fmt.Sprintf("did you mean %q?", best)
	}
	switch {
	case len(known) == 0:
		return "remove it"
	case len(known) == 1:
		return "write " + known[0]
	case len(known) > 4:
		return "write one of them"
	}
	return "write " + strings.Join(known[:len(known)-1], ", ") + " or " + known[len(known)-1]
}

func nearest(word string, known []string) (best string, near bool) {
	distance := len(word)/3 + 2
	for _, k := range known {
		if d := editDistance(strings.ToLower(word), strings.ToLower(k)); d < distance {
			best, distance, near = k, d, true
		}
	}
	return best, near
}

// editDistance counts the insertions, deletions, replacements and swaps of neighbours between a and b
// (optimal string alignment).
func editDistance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
