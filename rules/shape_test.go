package rules

import (
	"strings"
	"testing"
)

func TestAnAlertIsTakenApart(t *testing.T) {
	type want struct {
		value, data string
		fires       Comparison
		threshold   float64
	}
	for expr, w := range map[string]want{
		`up{job="x"} == 0`:                       {`up{job="x"}`, "", FiresAt, 0},
		`5 < x`:                                  {`x`, "", FiresAbove, 5},
		`x > 2 * (3 + 1)`:                        {`x`, "", FiresAbove, 8},
		`x >= -1`:                                {`x`, "", FiresFrom, -1},
		`( ( sum by (job) (rate(e[5m])) > 1 ) )`: {`sum by (job) (rate(e[5m]))`, "", FiresAbove, 1},
		`sum(rate(e[5m])) by (job) / sum(rate(r[5m])) by (job) > 0.05`:              {`sum(rate(e[5m])) by (job) / sum(rate(r[5m])) by (job)`, `sum(rate(r[5m])) by (job)`, FiresAbove, 0.05},
		`(sum(rate(e[5m])) / sum(rate(r[5m]))) > 0.05`:                              {`(sum(rate(e[5m])) / sum(rate(r[5m])))`, `sum(rate(r[5m]))`, FiresAbove, 0.05},
		`sum(rate(ok[5m])) / sum(rate(r[5m])) < 0.95`:                               {`sum(rate(ok[5m])) / sum(rate(r[5m]))`, "", FiresBelow, 0.95},
		`sum(rate(e[5m])) / sum(rate(r[5m])) > -1`:                                  {`sum(rate(e[5m])) / sum(rate(r[5m]))`, "", FiresAbove, -1},
		`rate(e[5m]) / rate(r[5m]) > 0.05 and rate(r[5m]) > 1`:                      {`(rate(e[5m]) / rate(r[5m])) and (rate(r[5m]) > 1)`, `(rate(r[5m])) and (rate(r[5m]) > 1)`, FiresAbove, 0.05},
		`(rate(e{v="{{version}}"}[5m]) > 3) and on (job) (rate(r[{{window}}]) > 1)`: {`(rate(e{v="{{version}}"}[5m])) and on (job) ((rate(r[{{window}}]) > 1))`, "", FiresAbove, 3},
		`temperature > 90 and load > 10`:                                            {`(temperature) and (load > 10)`, `count((temperature) and (load))`, FiresAbove, 90},
		`absent(up{job="x"})`:                                                       {`absent(up{job="x"})`, "vector(1)", FiresAny, 0},
		`a > b`:                                                                     {`a > b`, "count(a) or count(b)", FiresAny, 0},
		`a > 1 or b > 2`:                                                            {`a > 1 or b > 2`, "count(a) or count(b)", FiresAny, 0},
		`a > 1 unless b`:                                                            {`a > 1 unless b`, "count(a) or count(b)", FiresAny, 0},
		`a > bool 1`:                                                                {`a > bool 1`, "count(a)", FiresAny, 0},
		`x{v="{{version}}"} > {{vars.limit}}`:                                       {`x{v="{{version}}"} > {{vars.limit}}`, `count(x{v="{{version}}"})`, FiresAny, 0},
		"sum(rate(e{v=\"{{version}}\"}[{{window}}])) # all\n / sum(rate(r[5m]))\n > 5 # limit": {"sum(rate(e{v=\"{{version}}\"}[{{window}}])) # all\n / sum(rate(r[5m]))", "sum(rate(r[5m]))", FiresAbove, 5},
	} {
		c, problems := compile(expr)
		if len(problems) > 0 {
			t.Fatalf("%s: %v", expr, problems)
		}
		s, problem := shapeOf(c)
		if problem != nil {
			t.Errorf("%s: %v", expr, problem)
		} else if got := (want{s.value, s.data, s.fires, s.threshold}); got != w {
			t.Errorf("%s\n got %+v\nwant %+v", expr, got, w)
		}
		for _, text := range []string{s.value, s.data} {
			if _, err := Compile(text); text != "" && err != nil {
				t.Errorf("%s: %s: %v", expr, text, err)
			}
		}
	}
	for _, expr := range []string{`vector(1)`, `1 > bool 2`, `vector(1) > 0`, `time() > bool 5`} {
		c, _ := compile(expr)
		if _, problem := shapeOf(c); problem == nil {
			t.Errorf("%s is taken for an alert that can judge a release", expr)
		}
	}
}

func TestManyGuardsAreNotTakenApart(t *testing.T) {
	for guards, want := range map[int]Comparison{maxGuards: FiresAbove, 1500: FiresAny} {
		c, problems := compile("a > 1" + strings.Repeat(" and b > 1", guards))
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		if s, problem := shapeOf(c); problem != nil || s.fires != want {
			t.Errorf("%d guards: fires %q, want %q (%v)", guards, s.fires, want, problem)
		}
	}
}
