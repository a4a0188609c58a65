package service

import (
	"context"
	"fmt"

	"github.com/open-feature/go-sdk/openfeature"
)

// StringClient is the part of an OpenFeature client that a version flag needs.
type StringClient interface {
	StringValueDetails(ctx context.Context, flag, fallback string, user openfeature.EvaluationContext, opts ...openfeature.Option) (openfeature.StringEvaluationDetails, error)
}

// AskFlag asks an OpenFeature client as an application does: the flag's string value is the version, and the fallback
// is what the application has where the flag cannot be asked. It returns the fallback together with the error.
func AskFlag(client StringClient, flag, fallback string) Which {
	return func(ctx context.Context, user string) (string, error) {
		details, err := client.StringValueDetails(ctx, flag, fallback, openfeature.NewEvaluationContext(user, nil))
		if err != nil {
			return fallback, fmt.Errorf("ask flag %s: %w", flag, err)
		}
		return details.Value, nil
	}
}
