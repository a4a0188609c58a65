package main

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/serin-cd/serin/analysis"
	"github.com/serin-cd/serin/steps"
)

// liveView is what the block shows.
type liveView struct {
	now      time.Time
	rollout  *steps.Rollout // nil: none is under way
	readings []analysis.Judgement
	share    steps.Share // of the flag's last answers that named the version
	requests int         // of all users so far
	failed   int
}

const demoFrame = 200 * time.Millisecond

// startLive draws the block until stop.
func (s *stage) startLive(ctx context.Context) error {
	if s.screen.size == nil {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		ticker := time.NewTicker(demoFrame)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				s.screen.draw(liveBlock(s.look()))
			case <-ctx.Done():
				s.screen.draw(nil)
				return
			}
		}
	}()
	s.onStop(func(context.Context) { cancel(); <-over })
	return nil
}

// look asks the worker and the users what they see.
func (s *stage) look() liveView {
	totals := s.load.Tally.Totals()
	v := liveView{now: s.env.Now(), requests: totals.Requests, failed: totals.Failed}
	if asked, ok := s.daemon.worker.Ask(s.policy.Slot); ok {
		v.rollout, v.readings = asked.State.Rollout, asked.Readings
	}
	if v.rollout != nil {
		v.share = steps.Share(s.world.Service.Share(v.rollout.Version))
	}
	return v
}

// liveBlock is the view as rows.
func liveBlock(v liveView) []row {
	users := row{{fmt.Sprintf("  users    %d requests, %d failed", v.requests, v.failed), dim}}
	r := v.rollout
	if r == nil {
		return []row{{}, users}
	}
	marks, labels := railOf(*r)
	rows := []row{{},
		{{"  " + clean(r.Service) + " " + clean(r.Version), bold}, {"  " + strings.ReplaceAll(phase(*r), "_", " ") + bakeOf(*r, v.now), none}},
		marks, labels,
		{{fmt.Sprintf("  traffic  requested %v, confirmed %v, the flag's answers %v", r.Want, r.Confirmed, v.share), none}}}
	for _, t := range r.Plan.Rules {
		rows = append(rows, ruleRow(t.Rule, v.readings))
	}
	return append(rows, users)
}

// bakeOf is how far a step's bake is.
func bakeOf(r steps.Rollout, now time.Time) string {
	if r.StepBegan.IsZero() || r.Failure != nil || r.Phase == steps.Ended {
		return ""
	}
	bake := r.Plan.Steps[r.Step].Bake + r.Held
	return fmt.Sprintf(" for %.1f of %.1f s", now.Sub(r.StepBegan).Seconds(), bake.Seconds())
}

// railOf draws the steps: those behind, the present one, those to come.
func railOf(r steps.Rollout) (marks, labels row) {
	const gap = 9
	marks, labels = row{{"  ", none}}, row{{"  ", none}}
	for i, s := range r.Plan.Steps {
		mark, c := "○", dim
		line := span{strings.Repeat("┈", gap), dim}
		switch {
		case i < r.Step:
			mark, c = "●", green
			line = span{strings.Repeat("━", gap), green}
		case i == r.Step && r.Failure != nil:
			mark, c = "✗", red
		case i == r.Step && r.Confirmed == s.Share:
			mark, c = "◉", green
		case i == r.Step:
			mark, c = "◌", yellow
		}
		marks = append(marks, span{mark, c})
		if i < len(r.Plan.Steps)-1 {
			marks = append(marks, line)
		}
		labels = append(labels, span{fmt.Sprintf("%-*s", gap+1, s.Share), c})
	}
	return marks, labels
}

// ruleRow is a rule's last value beside its limit, and how it came there.
func ruleRow(rule string, readings []analysis.Judgement) row {
	var mine []analysis.Judgement
	for _, j := range readings {
		if j.Rule == rule {
			mine = append(mine, j)
		}
	}
	name := span{fmt.Sprintf("  %-14s ", clean(rule)), none}
	if len(mine) == 0 {
		return row{name, {"not read yet", dim}}
	}
	last := mine[len(mine)-1]
	c := map[analysis.Verdict]colour{analysis.Healthy: green, analysis.Unhealthy: red, analysis.Outage: yellow, analysis.NoData: yellow}[last.Verdict]
	value, limit := "–", ""
	if v := last.Reading.Value; v != nil {
		value = numeral(float64(*v), last.Reading.Total != nil)
	}
	if l := last.Reading.Limit; l != nil {
		limit = "of at most " + numeral(float64(*l), last.Reading.Total != nil)
	}
	return row{name, {fmt.Sprintf("%8s ", value), c}, {fmt.Sprintf("%-16s", limit), dim}, {sparkline(mine), c}, {"  " + last.Verdict.String(), c}, {", " + clean(last.Reason), dim}}
}

// numeral is a number for people; of a ratio in percent.
func numeral(f float64, ratio bool) string {
	unit := ""
	if ratio {
		f, unit = 100*f, " %"
	}
	if math.Abs(f) >= 1000 || math.IsNaN(f) {
		return strconv.FormatFloat(f, 'g', 4, 64) + unit
	}
	return strconv.FormatFloat(math.Round(f*10)/10, 'f', -1, 64) + unit
}

// sparkline draws the last values against twice their limit, so that half way up is the limit; · is none.
func sparkline(js []analysis.Judgement) string {
	const most = 20
	bars := []rune("▁▂▃▄▅▆▇█")
	out := []rune(strings.Repeat(" ", max(most-len(js), 0)))
	for _, j := range js[max(len(js)-most, 0):] {
		r := j.Reading
		if r.Value == nil || r.Limit == nil || !(*r.Limit > 0) || !(*r.Value >= 0) {
			out = append(out, '·')
			continue
		}
		height := float64(*r.Value/(2**r.Limit)) * float64(len(bars))
		out = append(out, bars[int(min(height, float64(len(bars)-1)))])
	}
	return string(out)
}
