package deployments

import (
	"slices"

	"github.com/serin-cd/serin/analysis"
)

// worstFirst puts the judgements that matter before the others.
func worstFirst(js []analysis.Judgement) []analysis.Judgement {
	out := slices.Clone(js)
	slices.SortStableFunc(out, func(a, b analysis.Judgement) int {
		switch {
		case a.Verdict.Worse(b.Verdict):
			return -1
		case b.Verdict.Worse(a.Verdict):
			return 1
		}
		return 0
	})
	return out
}
