//! Clients for the endpoint that plays AWS.

use std::ffi::OsString;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};

/// Where AWS is, and as whom it is spoken to.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The one address of all services.
    pub url: String,
    /// The region asked for.
    pub region: String,
    access_key_id: String,
    secret_access_key: String,
    session_token: Option<String>,
}

impl Endpoint {
    /// The embedded emulator, which takes any credentials.
    pub fn emulated(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            region: "us-east-1".to_owned(),
            access_key_id: "testing".to_owned(),
            secret_access_key: "testing".to_owned(),
            session_token: None,
        }
    }

    /// Somebody else's endpoint: region and credentials come from the usual variables, where they are set.
    pub fn foreign(url: impl Into<String>) -> Self {
        let emulated = Self::emulated(url);
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            region: variable("AWS_REGION").unwrap_or(emulated.region),
            access_key_id: variable("AWS_ACCESS_KEY_ID").unwrap_or(emulated.access_key_id),
            secret_access_key: variable("AWS_SECRET_ACCESS_KEY").unwrap_or(emulated.secret_access_key),
            session_token: variable("AWS_SESSION_TOKEN"),
            url: emulated.url,
        }
    }

    /// The same account and region at another address, such as a proxy's.
    #[must_use]
    pub fn at(&self, url: impl Into<String>) -> Self {
        Self { url: url.into(), ..self.clone() }
    }

    /// What an SDK client needs.
    pub fn config(&self) -> SdkConfig {
        let credentials = Credentials::new(
            &self.access_key_id,
            &self.secret_access_key,
            self.session_token.clone(),
            None,
            "local enclave",
        );
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&self.url)
            .region(Region::new(self.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .build()
    }

    /// The variables by which a process finds this endpoint, as Lambda sets them.
    pub fn environment(&self) -> Vec<(String, OsString)> {
        let mut variables = vec![
            ("AWS_ENDPOINT_URL".to_owned(), self.url.clone().into()),
            ("AWS_REGION".to_owned(), self.region.clone().into()),
            ("AWS_DEFAULT_REGION".to_owned(), self.region.clone().into()),
            ("AWS_ACCESS_KEY_ID".to_owned(), self.access_key_id.clone().into()),
            ("AWS_SECRET_ACCESS_KEY".to_owned(), self.secret_access_key.clone().into()),
            // Lambda has no instance metadata; looking for it would only cost time.
            ("AWS_EC2_METADATA_DISABLED".to_owned(), "true".into()),
        ];
        variables
            .extend(self.session_token.clone().map(|token| ("AWS_SESSION_TOKEN".to_owned(), token.into())));
        variables
    }
}

/// One client per service in use.
#[derive(Debug, Clone)]
pub struct Clients {
    /// EC2.
    pub ec2: aws_sdk_ec2::Client,
    /// Elastic Load Balancing, version 2.
    pub elbv2: aws_sdk_elasticloadbalancingv2::Client,
    /// IAM.
    pub iam: aws_sdk_iam::Client,
    /// KMS.
    pub kms: aws_sdk_kms::Client,
    /// S3.
    pub s3: aws_sdk_s3::Client,
    /// SQS.
    pub sqs: aws_sdk_sqs::Client,
}

impl Clients {
    /// Clients for `endpoint`.
    pub fn new(endpoint: &Endpoint) -> Self {
        let config = endpoint.config();
        // A bucket's own host name would have to resolve; an emulator's does not.
        let s3 = aws_sdk_s3::config::Builder::from(&config).force_path_style(true).build();
        Self {
            ec2: aws_sdk_ec2::Client::new(&config),
            elbv2: aws_sdk_elasticloadbalancingv2::Client::new(&config),
            iam: aws_sdk_iam::Client::new(&config),
            kms: aws_sdk_kms::Client::new(&config),
            s3: aws_sdk_s3::Client::from_conf(s3),
            sqs: aws_sdk_sqs::Client::new(&config),
        }
    }
}
