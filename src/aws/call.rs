//! A call as short as it can be, for the calls that each mail costs.
//!
//! The SDK's client composes each call anew: it merges a dozen plug-ins, resolves where to call and how to
//! sign, and asks some twenty interceptors at twenty places, for a quarter of what a mail costs. All of it
//! comes to the same every time. Here the SDK's client is asked at an operation's first call, by one that
//! [`Planner`] ends before it is written, what it would call with; from then on that is used directly. What writes, signs, sends
//! and reads is the SDK's, or ours that its client would use: serializer and deserializer of the
//! operation, credentials, signing scheme, HTTP client, times, the rules for the endpoint, and what tells
//! after which answers a connection is given up.
//!
//! Left out is what does nothing in these calls, and why:
//!
//! - retries and what serves them alone (attempts, tokens, copies of the request): these calls have one
//!   attempt, and their callers own the retries;
//! - measures and spans of the SDK: nobody has set up a receiver for the former, and we have our own;
//! - the headers on program and attempt: [`UserAgent`] has the one that we send;
//! - correcting the clock between attempts: [`ServiceClock`] does it between calls;
//! - the watch over bodies that stall: the call's time, which all of these calls have, ends them as well;
//! - the count of a body's bytes against its `Content-Length`: hyper counts them itself;
//! - the mark of a call out of Lambda: this is a daemon.
#![expect(
    clippy::result_large_err,
    reason = "they are the errors that the SDK's own calls return"
)]

use std::{
    error::Error as StdError,
    fmt::Debug,
    marker::PhantomData,
    mem::replace,
    sync::{Arc, OnceLock, Weak},
    time::Duration,
};

use aws_credential_types::{attributes::AccountId, provider::error::CredentialsError};
use aws_runtime::{auth::sigv4, service_clock_skew::DisableClockSkewCorrection};
use aws_smithy_runtime::client::http::connection_poisoning::{
    CaptureSmithyConnection, ConnectionPoisoningInterceptor,
};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::{AuthScheme, AuthSchemeEndpointConfig, SharedAuthScheme},
        endpoint::{EndpointResolverParams, ResolveEndpoint},
        http::{HttpClient, HttpConnector, HttpConnectorSettings, SharedHttpConnector},
        identity::{Identity, ResolveCachedIdentity, SharedIdentityResolver},
        interceptors::{
            Intercept,
            context::{
                BeforeSerializationInterceptorContextRef, Error, Input, InterceptorContext, Output,
            },
        },
        orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
        result::{ConnectorError, SdkError},
        runtime_components::RuntimeComponents,
        runtime_plugin::RuntimePlugin,
        ser_de::{
            DeserializeResponse, SerializeRequest, SharedRequestSerializer,
            SharedResponseDeserializer,
        },
    },
};
use aws_smithy_types::{
    Document,
    body::SdkBody,
    config_bag::{ConfigBag, FrozenLayer, Layer},
    endpoint::Endpoint,
    error::operation::BuildError,
    retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_types::{SigningName, region::SigningRegion};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout};

use super::{clock::ServiceClock, user_agent::UserAgent};

/// Makes the calls of one operation as a client of the SDK's would, one attempt each.
pub(super) struct Caller<I, O, E> {
    /// The operation's own: how it is written, signed and read.
    operation: Option<FrozenLayer>,
    clock: ServiceClock,
    user_agent: UserAgent,
    copied: Copied,
    planned: Box<dyn Fn(Planner) -> BoxFuture<'static, Answer<O, E>> + Send + Sync>,
    plan: Arc<OnceLock<Plan>>,
    input: PhantomData<fn(I)>,
}

/// What a call comes to.
pub(super) type Answer<O, E> = Result<O, SdkError<E, HttpResponse>>;

/// What the SDK's client would make each call with.
#[derive(Debug)]
struct Plan {
    components: RuntimeComponents,
    settings: FrozenLayer,
    scheme: SharedAuthScheme,
    credentials: SharedIdentityResolver,
    connector: SharedHttpConnector,
    within: Option<Duration>,
    place: tokio::sync::Mutex<Place>,
}

/// Where to call. With some services that depends on the account.
#[derive(Debug)]
struct Place {
    asked: EndpointResolverParams,
    copied: Copied,
    found: Option<(Option<AccountId>, Arc<Endpoint>)>,
}

/// Ends a call of the SDK's client before it is written, and keeps what it would have been made with.
#[derive(Debug)]
pub(super) struct Planner {
    kept: Weak<OnceLock<Plan>>,
    copied: Copied,
}

/// Copies what an endpoint depends on, but for the credentials that it was given for one call.
type Copied = fn(&EndpointResolverParams) -> Option<EndpointResolverParams>;

/// A failure whose type the SDK has erased.
type Failed = SdkError<Error, HttpResponse>;

impl<I, O, E> Caller<I, O, E>
where
    I: Debug + Send + Sync + 'static,
    O: Debug + Send + Sync + 'static,
    E: StdError + Send + Sync + 'static,
{
    /// For an operation, whose answers tell this clock. `P` are the parameters of the service's endpoint.
    /// `planned` is the same call by the SDK's client with this interceptor; of its input matters only what
    /// can change the endpoint.
    pub(super) fn new<P, F>(
        operation: &impl RuntimePlugin,
        clock: &ServiceClock,
        user_agent: &UserAgent,
        planned: impl Fn(Planner) -> F + Send + Sync + 'static,
    ) -> Self
    where
        P: Clone + Debug + Send + Sync + 'static,
        F: Future<Output = Answer<O, E>> + Send + 'static,
    {
        Self {
            operation: operation.config(),
            copied: copied::<P>,
            clock: clock.clone(),
            user_agent: user_agent.clone(),
            planned: Box::new(move |planner| Box::pin(planned(planner))),
            plan: Arc::default(),
            input: PhantomData,
        }
    }

    /// Makes a call with this input.
    pub(super) async fn call(&self, input: Result<I, BuildError>) -> Answer<O, E> {
        self.make(input, None).await
    }

    /// Makes a call with a body that is written already. The input matters where it is not of the body.
    pub(super) async fn call_with(
        &self,
        input: Result<I, BuildError>,
        body: Vec<u8>,
    ) -> Answer<O, E> {
        self.make(input, Some(body)).await
    }

    async fn make(&self, input: Result<I, BuildError>, body: Option<Vec<u8>>) -> Answer<O, E> {
        let input = Input::erase(input.map_err(SdkError::construction_failure)?);
        let plan = self.plan().await?;
        let mut config = ConfigBag::base();
        config.push_shared_layer(plan.settings.clone());
        if let Some(operation) = &self.operation {
            config.push_shared_layer(operation.clone());
        }
        let mut request = config
            .load::<SharedRequestSerializer>()
            .cloned()
            .ok_or_else(|| "the operation is not written".into())
            .and_then(|serializer| serializer.serialize_input(input, &mut config))
            .map_err(SdkError::construction_failure)?;
        if let Some(body) = body {
            let length = body.len().to_string();
            request.headers_mut().insert("content-length", length);
            *request.body_mut() = body.into();
        }
        let attempt = self.attempt(plan, request, &mut config);
        let answer = match plan.within {
            None => attempt.await,
            Some(within) => timeout(within, attempt).await.unwrap_or_else(|_elapsed| {
                // In the SDK's words, by which it is told apart.
                let said =
                    format!("operation attempt timeout (single attempt) occurred after {within:?}");
                Err(SdkError::timeout_error(said))
            }),
        };
        typed(answer)
    }

    /// Plans at the first call, and again at each after one that could not be planned: that fails as every
    /// call of the SDK's client would.
    async fn plan(&self) -> Answer<&Plan, E> {
        if let Some(plan) = self.plan.get() {
            return Ok(plan);
        }
        let planner = Planner {
            kept: Arc::downgrade(&self.plan),
            copied: self.copied,
        };
        let ended = (self.planned)(planner).await;
        match (self.plan.get(), ended) {
            (Some(plan), _) => Ok(plan),
            (None, Err(error)) => Err(error),
            (None, Ok(_)) => Err(SdkError::construction_failure("it was not planned")),
        }
    }

    async fn attempt(
        &self,
        plan: &Plan,
        mut request: HttpRequest,
        config: &mut ConfigBag,
    ) -> Result<Output, Failed> {
        plan.sign(&mut request, &self.user_agent, config)
            .await
            .map_err(|error| SdkError::dispatch_failure(ConnectorError::other(error, None)))?;
        let connection = CaptureSmithyConnection::new();
        request.add_extension(connection.clone());
        let sent = Instant::now();
        let answer = plan.connector.call(request).await;
        let mut answer = answer.map_err(SdkError::dispatch_failure)?;
        self.clock.hear(&answer, Some(sent));
        let body = replace(answer.body_mut(), SdkBody::taken());
        match body.collect().await {
            Ok(body) => *answer.body_mut() = body.to_bytes().into(),
            Err(error) => {
                let error = OrchestratorError::response(error);
                return plan.refused(error, answer, connection, config);
            }
        }
        let read = match config.load::<SharedResponseDeserializer>() {
            Some(reader) => reader.deserialize_nonstreaming_with_config(&answer, config),
            None => Err(OrchestratorError::other("the operation is not read")),
        };
        read.or_else(|error| plan.refused(error, answer, connection, config))
    }
}

impl Plan {
    fn of(
        components: &RuntimeComponents,
        config: &ConfigBag,
        copied: Copied,
    ) -> Result<Self, BoxError> {
        let scheme = components.auth_scheme(sigv4::SCHEME_ID);
        let scheme = scheme.ok_or("there is no way to sign")?;
        let credentials = scheme.identity_resolver(components);
        let times = config.load::<TimeoutConfig>().cloned();
        let times = times.unwrap_or_else(TimeoutConfig::disabled);
        let mut connecting = HttpConnectorSettings::builder();
        connecting.set_connect_timeout(times.connect_timeout());
        connecting.set_read_timeout(times.read_timeout());
        let client = components.http_client().ok_or("there is no HTTP client")?;
        let all = [times.operation_attempt_timeout(), times.operation_timeout()];
        let mut settings = Layer::new("plan");
        settings
            .store_or_unset(config.load::<SigningRegion>().cloned())
            .store_or_unset(config.load::<SigningName>().cloned())
            .store_or_unset(config.load::<DisableClockSkewCorrection>().copied())
            .store_or_unset(config.load::<RetryConfig>().cloned());
        let retries = config.load::<RetryConfig>().map(RetryConfig::max_attempts);
        debug_assert_eq!(retries.unwrap_or(1), 1, "nothing here tries again");
        let asked = config.load::<EndpointResolverParams>().and_then(copied);
        Ok(Self {
            settings: settings.freeze(),
            credentials: credentials.ok_or_else(CredentialsError::not_loaded_no_source)?,
            scheme,
            connector: client.http_connector(&connecting.build(), components),
            within: all.into_iter().flatten().min(),
            place: tokio::sync::Mutex::new(Place {
                asked: asked.ok_or("nothing tells where to call")?,
                copied,
                found: None,
            }),
            components: components.clone(),
        })
    }

    /// Addresses and signs a request.
    async fn sign(
        &self,
        request: &mut HttpRequest,
        user_agent: &UserAgent,
        config: &ConfigBag,
    ) -> Result<(), BoxError> {
        let cache = self.components.identity_cache();
        let credentials = self.credentials.clone();
        let identity = cache.resolve_cached_identity(credentials, &self.components, config);
        let identity = identity.await?;
        let endpoint = self.endpoint(&identity).await?;
        request.uri_mut().set_endpoint(endpoint.url())?;
        let headers = request.headers_mut();
        for (name, values) in endpoint.headers() {
            headers.remove(name);
            for value in values {
                headers.try_append(name.to_owned(), value.to_owned())?;
            }
        }
        headers.insert("user-agent", user_agent.header());
        self.scheme.signer().sign_http_request(
            request,
            &identity,
            signing_settings(&endpoint)?,
            &self.components,
            config,
        )
    }

    async fn endpoint(&self, identity: &Identity) -> Result<Arc<Endpoint>, BoxError> {
        let account = identity.property::<AccountId>();
        let mut place = self.place.lock().await;
        if let Some((of, endpoint)) = &place.found
            && of.as_ref() == account
        {
            return Ok(Arc::clone(endpoint));
        }
        let rules = self.components.endpoint_resolver();
        // A copy each time: what one call's credentials said must not count for the next ones.
        let mut asked = (place.copied)(&place.asked).ok_or("nothing tells where to call")?;
        asked.set_property(identity.clone());
        rules.finalize_params(&mut asked)?;
        let endpoint = Arc::new(rules.resolve_endpoint(&asked).await?);
        place.found = Some((account.cloned(), Arc::clone(&endpoint)));
        Ok(endpoint)
    }

    /// What an answer that is no success comes to, as the SDK has it. After one that may pass the next call
    /// gets another connection.
    fn refused(
        &self,
        error: OrchestratorError<Error>,
        answer: HttpResponse,
        connection: CaptureSmithyConnection,
        config: &mut ConfigBag,
    ) -> Result<Output, Failed> {
        let mut context = InterceptorContext::new(Input::erase(()));
        context.enter_serialization_phase();
        drop(context.take_input());
        context.set_request(HttpRequest::empty());
        context.enter_before_transmit_phase();
        context.enter_transmit_phase();
        drop(context.take_request());
        context.set_response(answer);
        context.enter_before_deserialization_phase();
        context.enter_deserialization_phase();
        context.set_output_or_error(Err(error));
        context.enter_after_deserialization_phase();
        config.interceptor_state().store_put(connection);
        let poisoning = ConnectionPoisoningInterceptor::new();
        let seen = (&context).into();
        if let Err(error) = poisoning.read_after_deserialization(&seen, &self.components, config) {
            context.fail(OrchestratorError::other(error));
        }
        context.finalize()
    }
}

impl Intercept for Planner {
    fn name(&self) -> &'static str {
        "Planner"
    }

    fn read_before_serialization(
        &self,
        _context: &BeforeSerializationInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let plan = Plan::of(components, config, self.copied)?;
        if let Some(kept) = self.kept.upgrade() {
            // Calls that are made at once may plan more than once, and come to the same.
            drop(kept.set(plan));
        }
        Err("planned".into())
    }
}

fn copied<P>(asked: &EndpointResolverParams) -> Option<EndpointResolverParams>
where
    P: Clone + Debug + Send + Sync + 'static,
{
    asked.get::<P>().cloned().map(EndpointResolverParams::new)
}

/// What an endpoint says of signatures, as the SDK takes it.
fn signing_settings(endpoint: &Endpoint) -> Result<AuthSchemeEndpointConfig<'_>, BoxError> {
    const OTHERWISE: &str = "the endpoint wants other signatures";
    let scheme = sigv4::SCHEME_ID;
    let typed = endpoint.auth_schemes();
    if !typed.is_empty() {
        let ours = typed.iter().find(|typed| typed.name() == scheme.inner());
        return Ok(AuthSchemeEndpointConfig::from_typed(ours.ok_or(OTHERWISE)?));
    }
    let Some(schemes) = endpoint.properties().get("authSchemes") else {
        return Ok(AuthSchemeEndpointConfig::empty());
    };
    let is_ours = |document: &&Document| {
        let name = document.as_object().and_then(|object| object.get("name"));
        name.and_then(Document::as_string) == Some(scheme.inner())
    };
    let ours = schemes.as_array().and_then(|all| all.iter().find(is_ours));
    Ok(ours.ok_or(OTHERWISE)?.into())
}

/// An operation's own types, which its serializer and its deserializer have erased.
#[expect(
    clippy::expect_used,
    reason = "an operation has one output and one error"
)]
fn typed<O, E>(answer: Result<Output, Failed>) -> Answer<O, E>
where
    O: Debug + Send + Sync + 'static,
    E: StdError + Send + Sync + 'static,
{
    match answer {
        Ok(output) => Ok(output.downcast().expect("the operation's output")),
        Err(error) => {
            Err(error.map_service_error(|error| error.downcast().expect("the operation's error")))
        }
    }
}

#[cfg(test)]
mod tests;
