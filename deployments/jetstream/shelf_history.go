package jetstream

import (
	"context"
	"encoding/json"
	"math"
	"slices"

	"github.com/serin-cd/serin/deployments"
)

// Bounds of one answer about history.
const (
	maxHistory   = 200
	historyBytes = 768 << 10 // of summaries
)

// history is what became of a slot's rollouts: the summaries, and before them the journal's last rollout while it is
// live, or has just ended and has no summary yet.
func (s *shelf) history(ctx context.Context, slot deployments.Slot, q query) ([]deployments.Summary, error) {
	j, err := s.journal(ctx)
	if err != nil {
		return nil, err
	}
	last, err := j.Last(ctx, slot)
	if err != nil {
		return nil, err
	}
	entries, err := j.Rollout(ctx, last)
	if err != nil {
		return nil, err
	}
	ended, err := Summaries{JS: s.JS, Names: s.Names}.Of(ctx, slot, math.MaxInt)
	if err != nil {
		return nil, err
	}
	newest, ok := deployments.Summarize(entries)
	if ok && !slices.ContainsFunc(ended, func(s deployments.Summary) bool { return s.Rollout == newest.Rollout }) {
		ended = slices.Insert(ended, 0, newest)
	}
	return q.answer(ended)
}

// answer is the summaries that are asked for, as many as fit into an answer, and one at least.
func (q query) answer(all []deployments.Summary) ([]deployments.Summary, error) {
	out, size := []deployments.Summary{}, 0
	for _, s := range all {
		live := s.Ended.IsZero()
		if !live && s.Ended.Before(q.Since) || !q.Until.IsZero() && (live || !s.Ended.Before(q.Until)) {
			continue
		}
		text, err := json.Marshal(s)
		if err != nil {
			return nil, err
		}
		if size += len(text); len(out) == min(max(q.N, 1), maxHistory) || len(out) > 0 && size > historyBytes {
			break
		}
		out = append(out, s)
	}
	return out, nil
}
