package openfeature

import (
	"context"
	"fmt"
	"math"
	"time"

	of "github.com/open-feature/go-sdk/openfeature"

	"github.com/serin-cd/serin/flags"
)

// BooleanEvaluation answers for a boolean flag.
func (p *Provider) BooleanEvaluation(_ context.Context, flag string, def bool, ec of.FlattenedContext) of.BoolResolutionDetail {
	return resolve(p, flag, def, ec, func(v any) (bool, bool) { b, ok := v.(bool); return b, ok })
}

// StringEvaluation answers for a string flag.
func (p *Provider) StringEvaluation(_ context.Context, flag, def string, ec of.FlattenedContext) of.StringResolutionDetail {
	return resolve(p, flag, def, ec, func(v any) (string, bool) { s, ok := v.(string); return s, ok })
}

// FloatEvaluation answers for a number.
func (p *Provider) FloatEvaluation(_ context.Context, flag string, def float64, ec of.FlattenedContext) of.FloatResolutionDetail {
	return resolve(p, flag, def, ec, func(v any) (float64, bool) { n, ok := v.(float64); return n, ok })
}

// IntEvaluation answers for a number, without its fraction.
func (p *Provider) IntEvaluation(_ context.Context, flag string, def int64, ec of.FlattenedContext) of.IntResolutionDetail {
	return resolve(p, flag, def, ec, func(v any) (int64, bool) {
		n, ok := v.(float64)
		n = math.Trunc(n)
		if !ok || n < math.MinInt64 || n >= math.MaxInt64 {
			return 0, false
		}
		return int64(n), true
	})
}

// ObjectEvaluation answers for an object, with a copy.
func (p *Provider) ObjectEvaluation(_ context.Context, flag string, def any, ec of.FlattenedContext) of.InterfaceResolutionDetail {
	return resolve(p, flag, def, ec, func(v any) (any, bool) {
		m, ok := v.(map[string]any)
		return clone(m), ok
	})
}

// clone keeps an application from writing into the snapshot.
func clone(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, x := range v {
			out[k] = clone(x)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = clone(x)
		}
		return out
	default:
		return v
	}
}

// resolve evaluates in the present snapshot. Where there is no value of the type asked for it answers def and says why.
func resolve[T any](p *Provider, name string, def T, ec of.FlattenedContext, as func(any) (T, bool)) of.GenericResolutionDetail[T] {
	e, err := p.entry(name)
	if e == nil {
		return of.GenericResolutionDetail[T]{Value: def, ProviderResolutionDetail: of.ProviderResolutionDetail{ResolutionError: err, Reason: of.ErrorReason}}
	}
	got := e.flag.Evaluate(ec, time.Now)
	out := of.GenericResolutionDetail[T]{Value: def, ProviderResolutionDetail: of.ProviderResolutionDetail{
		Variant: got.Variant, Reason: of.Reason(got.Reason), FlagMetadata: e.metadata,
	}}
	switch {
	case e.err != nil:
		out.ResolutionError, out.Reason = of.NewParseErrorResolutionError(e.err.Error()), of.ErrorReason
	case got.Err != nil:
		out.ResolutionError = resolutionError(got)
	case got.Variant != "":
		v, ok := as(got.Value)
		if !ok {
			out.ResolutionError = of.NewTypeMismatchResolutionError(fmt.Sprintf("flag %q: variant %q is a %T", name, got.Variant, got.Value))
			out.Variant, out.Reason = "", of.ErrorReason
			return out
		}
		out.Value = v
	}
	return out
}

func (p *Provider) entry(name string) (*entry, of.ResolutionError) {
	all := p.flags.Load()
	if all == nil {
		return nil, of.NewProviderNotReadyResolutionError("the flags are not loaded yet")
	}
	e := (*all)[name]
	if e == nil {
		return nil, of.NewFlagNotFoundResolutionError(fmt.Sprintf("no flag %q", name))
	}
	return e, of.ResolutionError{}
}

func resolutionError(got flags.Evaluation) of.ResolutionError {
	switch got.ErrorCode {
	case flags.CodeParse:
		return of.NewParseErrorResolutionError(got.Err.Error())
	case flags.CodeInvalidContext:
		return of.NewInvalidContextResolutionError(got.Err.Error())
	default:
		return of.NewGeneralResolutionError(got.Err.Error())
	}
}
