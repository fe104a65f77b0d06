variable "terraform_principals" {
  description = "Roles that run Terraform in this account."
  type        = list(string)
}

variable "admin_principals" {
  description = "Who may take on the admin role."
  type        = list(string)
}

variable "images" {
  description = "Images that hosts may boot."
  type        = list(string)
}

variable "operator_root_pem" {
  description = "The operator's root certificate, as it was handed over."
  type        = string
}
